#include "model/trainer.h"

#include <gmock/gmock.h>

#include <cmath>
#include <csignal>
#include <memory>
#include <numeric>
#include <set>

#include "engine/parameters.h"
#include "kernels/cpu/parallel.h"
#include "model/checkpoint.h"
#include "model/xray_cnn.h"
#include "tests/model/support.h"

namespace roentgen::model {
namespace {

using engine::DType;
using test::Folder;
using test::message_of;
using test::read_file;
using testing::HasSubstr;

constexpr std::int64_t side = 14;

// Images of three classes: stripes across, stripes down, and flat, with noise. Visited in another order each
// epoch.
class Stripes : public BatchSource {
 public:
  Stripes(std::int64_t n, std::int64_t batch_size, bool shuffle = true)
      : n_(n), batch_size_(batch_size), shuffle_(shuffle) {
    for (std::int64_t i = 0; i < n; ++i) {
      const kernels::RandomKey key{.seed = 3, .stream = static_cast<std::uint32_t>(i)};
      for (std::int64_t p = 0; p < side * side; ++p) {
        const std::int64_t line = i % 3 == 0 ? p / side : p % side;
        const double base = i % 3 == 2 ? 128 : (line % 2 ? 180 : 76);
        const double value = base + 60 * (kernels::uniform(key, static_cast<std::uint64_t>(p)) - 0.5);
        pixels_.insert(pixels_.end(), 3, static_cast<std::uint8_t>(value));
      }
    }
  }

  void start(std::int64_t epoch, std::int64_t first_batch) override {
    order_.resize(static_cast<std::size_t>(n_));
    std::iota(order_.begin(), order_.end(), 0);
    if (shuffle_) {
      for (std::int64_t i = 0; i < n_; ++i) order_[static_cast<std::size_t>(i)] = (i * 5 + epoch * 7) % n_;
    }
    next_ = first_batch;
    ++starts;
  }

  std::optional<ImageBatch> next() override {
    if (next_ >= batches()) return std::nullopt;
    ImageBatch batch;
    batch.count = std::min(batch_size_, n_ - next_ * batch_size_);
    gathered_.clear();
    for (std::int64_t i = 0; i < batch.count; ++i) {
      const std::int64_t sample = order_[static_cast<std::size_t>(next_ * batch_size_ + i)];
      constexpr std::int64_t bytes = side * side * 3;
      gathered_.insert(gathered_.end(), pixels_.begin() + sample * bytes,
                       pixels_.begin() + (sample + 1) * bytes);
      batch.labels.push_back(static_cast<std::int32_t>(sample % 3));
      batch.samples.push_back(sample);
    }
    batch.images = gathered_;
    ++next_;
    return batch;
  }

  std::int64_t batches() const override { return (n_ + batch_size_ - 1) / batch_size_; }

  int starts = 0;

 private:
  std::int64_t n_, batch_size_;
  bool shuffle_;
  std::vector<std::uint8_t> pixels_, gathered_;
  std::vector<std::int64_t> order_;
  std::int64_t next_ = 0;
};

Sequential small_network(const engine::Device& device = kernels::Cpu{}, DType dtype = DType::float32,
                         double dropout = 0.1) {
  Sequential net = xray_cnn({.image_size = side,
                             .channels = 3,
                             .filters = {8},
                             .kernel = 3,
                             .dropout = {dropout},
                             .dense = 16,
                             .dense_dropout = dropout,
                             .classes = 3});
  net.build(device, dtype, 1);
  return net;
}

TrainOptions options_of(std::int64_t epochs, double lr = 3e-3) {
  TrainOptions options;
  options.epochs = epochs;
  options.learning_rate = engine::constant_schedule(lr);
  options.seed = 9;
  return options;
}

std::vector<double> weights_of(const Sequential& net) {
  return net.parameters().values().to_doubles();
}

// Notes everything and can do something after a step.
class Recorder : public Callback {
 public:
  void on_begin(const TrainState&) override { ++begins; }
  void on_step(const StepReport& report, const TrainState& state) override {
    steps.push_back(report);
    if (after_step) after_step(state);
  }
  void on_epoch(const EpochTiming& timing, const TrainState&) override { epochs.push_back(timing); }
  void on_interrupt(const TrainState& state) override { interrupted_at.push_back(state.step); }

  std::function<void(const TrainState&)> after_step;
  int begins = 0;
  std::vector<StepReport> steps;
  std::vector<EpochTiming> epochs;
  std::vector<std::int64_t> interrupted_at;
};

TEST(Trainer, LearnsAFewImagesByHeart) {
  for (const engine::Device& device :
       {engine::Device(kernels::Cpu{}), engine::Device(kernels::Reference{})}) {
    Sequential net = small_network(device);
    engine::Adam adam(net.parameters());
    Stripes train(24, 8), same(24, 24, false);
    TrainState state;
    const auto result = fit(net, adam, train, &same, options_of(25), state);
    EXPECT_EQ(result.reason, StopReason::finished);
    EXPECT_EQ(state.epoch(), 25);
    EXPECT_EQ(state.step, 75);
    EXPECT_EQ(*state.history.back().val_accuracy, 1.0) << engine::to_string(device);
    EXPECT_LT(*state.history.back().val_loss, 0.1) << engine::to_string(device);
    EXPECT_LT(state.history.back().loss, state.history.front().loss / 3);
  }
}

TEST(Trainer, LearnsInFloat64AndBfloat16) {
  for (const DType dtype : {DType::float64, DType::bfloat16}) {
    Sequential net = small_network(kernels::Reference{}, dtype);
    engine::Adam adam(net.parameters());
    Stripes train(12, 4);
    TrainState state;
    TrainOptions options = options_of(25);
    options.class_weights = {1, 1, 1};
    fit(net, adam, train, nullptr, options, state);
    EXPECT_LT(state.history.back().loss, state.history.front().loss / 2) << engine::to_string(dtype);
  }
}

TEST(Trainer, AnyNumberOfThreadsGivesTheSameBits) {
  const int before = kernels::thread_count();
  std::vector<double> first;
  std::vector<EpochMetrics> history;
  for (const int threads : {1, 1, 2, 4}) {
    kernels::set_thread_count(threads);
    Sequential net = small_network();
    engine::Adam adam(net.parameters());
    Stripes train(20, 8), val(9, 4, false);
    TrainOptions options = options_of(3);
    options.augmentation = kernels::Augmentation{};
    TrainState state;
    fit(net, adam, train, &val, options, state);
    if (first.empty()) first = weights_of(net), history = state.history;
    EXPECT_EQ(weights_of(net), first) << threads;
    EXPECT_EQ(state.history, history) << threads;
  }
  kernels::set_thread_count(before);
}

TEST(Trainer, SeedDecidesDropoutAndAugmentation) {
  const auto run = [](std::uint64_t seed, double dropout, bool augment) {
    Sequential net = small_network(kernels::Cpu{}, DType::float32, dropout);
    engine::Adam adam(net.parameters());
    Stripes train(12, 4);
    TrainOptions options = options_of(1);
    options.seed = seed;
    if (augment) options.augmentation = kernels::Augmentation{};
    TrainState state;
    fit(net, adam, train, nullptr, options, state);
    return weights_of(net);
  };
  EXPECT_EQ(run(1, 0, false), run(2, 0, false));
  EXPECT_NE(run(1, 0.3, false), run(2, 0.3, false));
  EXPECT_NE(run(1, 0, true), run(2, 0, true));
  EXPECT_NE(run(1, 0, true), run(1, 0, false));
}

// Batch norm keeps statistics that are no parameters: they have to survive too.
Sequential network_with_statistics() {
  Sequential net({side, side, 3}, Conv2D(6, 3, Activation::relu), BatchNormalization(), MaxPooling2D(2),
                 Dropout(0.2), Flatten(), Dense(3, Activation::softmax));
  net.build(kernels::Cpu{}, DType::float32, 1);
  return net;
}

TEST(Trainer, ResumedFromAnyStepEqualsTheUninterruptedRun) {
  const Folder folder;
  TrainOptions options = options_of(3);
  options.learning_rate = engine::cosine_schedule(3e-3, 15, 3);
  options.augmentation = kernels::Augmentation{};
  const auto info_of = [](const TrainState& state) {
    CheckpointInfo info;
    info.classes = {"a", "b", "c"};
    info.preprocessing.image_size = side;
    info.metrics = to_json(state);
    return info;
  };

  Stripes train(18, 4), val(9, 4, false);
  Sequential whole = network_with_statistics();
  engine::Adam whole_adam(whole.parameters());
  TrainState whole_state;
  Recorder saver;
  saver.after_step = [&](const TrainState& state) {
    save_checkpoint(folder / std::to_string(state.step), info_of(state), whole, &whole_adam);
  };
  fit(whole, whole_adam, train, &val, options, whole_state, {&saver});
  ASSERT_EQ(whole_state.step, 15);
  save_checkpoint(folder / "whole", info_of(whole_state), whole, &whole_adam);

  for (int step = 1; step <= 15; ++step) {
    const auto checkpoint = Checkpoint::load(folder / std::to_string(step));
    Sequential net = checkpoint.network(kernels::Cpu{});
    engine::Adam adam(net.parameters());
    checkpoint.restore(adam);
    TrainState state = train_state_from_json(checkpoint.info().metrics);
    fit(net, adam, train, &val, options, state);
    save_checkpoint(folder / "resumed", info_of(state), net, &adam);
    EXPECT_TRUE(read_file(folder / "resumed") == read_file(folder / "whole")) << "from step " << step;
  }
}

TEST(Trainer, EpochMetricsAreMeansOverSamples) {
  Sequential net = small_network();
  engine::Adam adam(net.parameters());
  Stripes train(12, 5);  // 5, 5, 2
  TrainState state;
  Recorder recorder;
  TrainOptions options = options_of(1);
  options.learning_rate = engine::step_schedule(1e-3, 2, 0.5);
  fit(net, adam, train, nullptr, options, state, {&recorder});
  ASSERT_EQ(recorder.steps.size(), 3u);
  double loss = 0, accuracy = 0;
  for (const StepReport& r : recorder.steps) {
    loss += r.loss * static_cast<double>(r.samples) / 12;
    accuracy += r.accuracy * static_cast<double>(r.samples) / 12;
  }
  EXPECT_NEAR(state.history[0].loss, loss, 1e-12);
  EXPECT_NEAR(state.history[0].accuracy, accuracy, 1e-12);
  EXPECT_FALSE(state.history[0].val_loss);
  EXPECT_EQ(recorder.steps[2].samples, 2);
  EXPECT_EQ(recorder.steps[1].lr, 1e-3);
  EXPECT_EQ(recorder.steps[2].lr, 5e-4);
  EXPECT_EQ(state.history[0].lr, 5e-4);
  EXPECT_EQ(recorder.begins, 1);
  ASSERT_EQ(recorder.epochs.size(), 1u);
  EXPECT_GT(recorder.epochs[0].images_per_second, 0);
  EXPECT_GT(recorder.epochs[0].peak_bytes, 0u);
}

TEST(Trainer, FirstLossFollowsWeightsAndSmoothing) {
  Sequential net = small_network(kernels::Reference{}, DType::float64, 0);
  Stripes train(5, 5, false);
  const std::vector<double> weights = {0.5, 2, 1};
  const double smoothing = 0.15;
  const Predictions p = predict(net, train);
  double expected = 0, total = 0;
  for (std::int64_t i = 0; i < p.size(); ++i) {
    const auto label = static_cast<std::size_t>(p.labels[static_cast<std::size_t>(i)]);
    expected += (1 - smoothing) * weights[label] * -std::log(p.row(i)[label]);
    for (std::size_t k = 0; k < 3; ++k) expected -= smoothing / 3 * weights[k] * std::log(p.row(i)[k]);
    total += weights[label];
  }
  engine::Sgd sgd(net.parameters());
  TrainOptions options = options_of(1, 0);
  options.class_weights = {0.5f, 2, 1};
  options.label_smoothing = smoothing;
  Recorder recorder;
  TrainState state;
  Stripes val(5, 2, false);
  fit(net, sgd, train, &val, options, state, {&recorder});
  EXPECT_NEAR(recorder.steps.at(0).loss, expected / total, 1e-12);
  // The validation is smoothed, but not weighted; the learning rate of 0 left the network as it was.
  val.start(0, 0);
  const Predictions smoothed = predict(net, val, smoothing);
  EXPECT_NEAR(*state.history[0].val_loss, mean_loss(smoothed), 1e-12);
  EXPECT_NEAR(*state.history[0].val_accuracy, accuracy(p), 1e-12);
}

TEST(Trainer, ClipsTheNormOfAllGradients) {
  Sequential net = small_network(kernels::Reference{}, DType::float64);
  engine::Sgd sgd(net.parameters());
  const auto before = weights_of(net);
  Stripes train(6, 6);
  TrainOptions options = options_of(1, 1.0);
  options.clip_norm = 0.01;
  TrainState state;
  fit(net, sgd, train, nullptr, options, state);
  const auto after = weights_of(net);
  double norm = 0;
  for (std::size_t i = 0; i < before.size(); ++i) norm += (after[i] - before[i]) * (after[i] - before[i]);
  EXPECT_NEAR(std::sqrt(norm), 0.01, 1e-9);  // the gradient of a fresh network is longer than that
}

TEST(Trainer, ALossThatIsNotFiniteStopsAndNamesThePlace) {
  Sequential net = small_network();
  net.parameters().at("conv1.weight").copy_from(Tensor::full({8, 3, 3, 3}, std::nan(""), DType::float32));
  engine::Adam adam(net.parameters());
  Stripes train(6, 3);
  TrainState state;
  Recorder recorder;
  const std::string message =
      message_of<Diverged>([&] { fit(net, adam, train, nullptr, options_of(2), state, {&recorder}); });
  EXPECT_THAT(message, HasSubstr("step 1 (epoch 1)"));
  EXPECT_THAT(message, HasSubstr("conv1.weight"));
  EXPECT_THAT(message, HasSubstr("[0, 0, 0, 0]"));
  EXPECT_TRUE(recorder.steps.empty());
}

TEST(Trainer, WeightsThatExplodeAreNeverSaved) {
  Sequential net = small_network();
  engine::Sgd sgd(net.parameters());
  Stripes train(12, 4);
  TrainState state;
  int saved = 0;
  CheckpointSaver saver(
      [&](const TrainState& s) {
        require_finite_weights(net, s);
        ++saved;
      },
      [](const TrainState&) {}, Monitor::val_loss, 1);
  EXPECT_THROW(fit(net, sgd, train, nullptr, options_of(50, 1e30), state, {&saver}), Diverged);
  EXPECT_LT(saved, 12);
}

TEST(Trainer, StopsWhenTheMonitoredValueStaysPut) {
  Sequential net = small_network();
  engine::Adam adam(net.parameters());
  Stripes train(6, 3), val(6, 6, false);
  EarlyStopping early(3, Monitor::val_loss);
  TrainState state;
  const auto result = fit(net, adam, train, &val, options_of(50, 0), state, {&early});  // learns nothing
  EXPECT_EQ(result.reason, StopReason::early);
  EXPECT_EQ(state.epoch(), 4);
  // Gone on with, it stops at once.
  EXPECT_EQ(fit(net, adam, train, &val, options_of(50, 0), state, {&early}).reason, StopReason::early);
  EXPECT_EQ(state.epoch(), 4);
}

volatile std::sig_atomic_t caught = 0;

TEST(Trainer, ASignalStopsAfterTheStepAtHand) {
  const auto before = std::signal(SIGINT, [](int number) { caught = number; });
  caught = 0;
  Sequential net = small_network();
  engine::Adam adam(net.parameters());
  Stripes train(12, 3);
  TrainOptions options = options_of(5);
  options.stop_signal = [] { return static_cast<int>(caught); };
  Recorder recorder;
  recorder.after_step = [](const TrainState& state) {
    if (state.step == 6) std::raise(SIGINT);
  };
  TrainState state;
  const auto result = fit(net, adam, train, nullptr, options, state, {&recorder});
  std::signal(SIGINT, before);
  EXPECT_EQ(result.reason, StopReason::signal);
  EXPECT_EQ(result.signal, SIGINT);
  EXPECT_EQ(state.step, 6);
  EXPECT_EQ(state.epoch(), 1);
  EXPECT_EQ(state.batch, 2);
  EXPECT_EQ(recorder.interrupted_at, std::vector<std::int64_t>{6});
}

TEST(Trainer, PredictKeepsTheOrderAndMatchesTheNetwork) {
  Sequential net = small_network();
  Stripes source(7, 3, false);
  const Predictions p = predict(net, source);
  ASSERT_EQ(p.size(), 7);
  EXPECT_EQ(p.labels, (std::vector<std::int32_t>{0, 1, 2, 0, 1, 2, 0}));
  Stripes whole(7, 7, false);
  whole.start(0, 0);
  const auto batch = whole.next();
  const auto expected = net.probabilities(to_input(net, batch->images, 7)).to_doubles();
  // Float32 logits of another batch size, softmax in double here and in float there.
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(p.probabilities[i], expected[i], 1e-5);
}

}  // namespace
}  // namespace roentgen::model

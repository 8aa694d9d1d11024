#include "model/trainer.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "engine/memory.h"
#include "engine/nonfinite.h"
#include "engine/ops.h"
#include "engine/parameters.h"
#include "engine/tape.h"

namespace roentgen::model {

namespace {

using engine::DType;
using Clock = std::chrono::steady_clock;

constexpr const char* advice = "lower the learning rate or clip the gradients";

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::vector<kernels::Affine> draw_maps(const kernels::Augmentation& ranges, std::uint64_t seed,
                                       std::int64_t epoch, std::span<const std::int64_t> samples,
                                       const Shape& image) {
  const kernels::RandomKey key{
      .seed = seed, .purpose = kernels::Purpose::augment, .step = static_cast<std::uint32_t>(epoch)};
  std::vector<kernels::Affine> maps;
  maps.reserve(samples.size());
  for (const std::int64_t sample : samples) {
    maps.push_back(kernels::draw_affine(ranges, key, sample, image[0], image[1]));
  }
  return maps;
}

std::int64_t count_correct(std::span<const double> logits, std::span<const std::int32_t> labels) {
  const std::size_t classes = labels.empty() ? 0 : logits.size() / labels.size();
  std::int64_t correct = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    correct += argmax(logits.subspan(i * classes, classes)) == labels[i];
  }
  return correct;
}

// One run of fit(): what its steps share.
class Run {
 public:
  Run(Sequential& net, engine::Optimizer& optimizer, const TrainOptions& options, TrainState& state)
      : net_(net), optimizer_(optimizer), options_(options), state_(state) {
    if (!options.class_weights.empty()) {
      class_weights_ = Tensor::from(options.class_weights, {std::ssize(options.class_weights)}, net.device());
      if (engine::master_of(net.dtype()) == DType::float64) {
        class_weights_ = engine::cast(class_weights_, DType::float64);
      }
    }
  }

  StepReport step(const ImageBatch& batch);
  [[noreturn]] void diverged(const std::string& what, const Tensor& x, const Context& context) const;

 private:
  Sequential& net_;
  engine::Optimizer& optimizer_;
  const TrainOptions& options_;
  TrainState& state_;
  Tensor class_weights_;
};

StepReport Run::step(const ImageBatch& batch) {
  std::vector<kernels::Affine> maps;
  if (options_.augmentation) {
    maps =
        draw_maps(*options_.augmentation, options_.seed, state_.epoch(), batch.samples, net_.input_shape());
  }
  const Tensor x = to_input(net_, batch.images, batch.count, maps);
  const Tensor labels = Tensor::from(batch.labels, {batch.count}, net_.device());
  const Context context{
      .training = true, .seed = options_.seed, .step = static_cast<std::uint32_t>(state_.step)};

  net_.parameters().clear_gradients();
  const Tensor logits = net_.forward(x, context);
  const Tensor loss =
      engine::cross_entropy(logits, labels, class_weights_, {.label_smoothing = options_.label_smoothing});
  engine::backward(loss);
  const double value = loss.item();
  if (!std::isfinite(value)) diverged(fmt::format("the loss became {}", value), x, context);
  if (options_.clip_norm > 0) {
    const double norm = engine::clip_gradient_norm(net_.parameters(), options_.clip_norm);
    if (!std::isfinite(norm)) diverged(fmt::format("the gradients' norm became {}", norm), x, context);
  }
  const double lr = options_.learning_rate(state_.step);
  optimizer_.step(lr);

  const std::int64_t correct = count_correct(logits.detach().to_doubles(), batch.labels);
  state_.running.add(value, correct, batch.count);
  ++state_.step;
  ++state_.batch;
  return {.epoch = state_.epoch(),
          .batch = state_.batch,
          .samples = batch.count,
          .loss = value,
          .accuracy = static_cast<double>(correct) / static_cast<double>(batch.count),
          .lr = lr};
}

void Run::diverged(const std::string& what, const Tensor& x, const Context& context) const {
  const auto place = net_.locate_nonfinite(x, context);
  throw Diverged(fmt::format("training diverged at step {} (epoch {}): {}; first not finite: {}; {}",
                             state_.step + 1, state_.epoch() + 1, what,
                             place ? place->message() : "the loss itself", advice));
}

}  // namespace

void require_finite_weights(const Sequential& net, const TrainState& state) {
  if (!engine::first_nonfinite(net.parameters().values())) return;
  for (const auto& [name, tensor] : net.parameters().all()) {
    if (const auto at = engine::first_nonfinite(tensor.detach())) {
      throw Diverged(fmt::format("training diverged by step {} (epoch {}): weight {} of {} is not finite; {}",
                                 state.step, state.epoch() + 1, *at, name, advice));
    }
  }
}

Tensor to_input(const Sequential& net, std::span<const std::uint8_t> images, std::int64_t count,
                std::span<const kernels::Affine> maps) {
  Shape shape = net.input_shape();
  shape.insert(shape.begin(), count);
  const Tensor bytes = Tensor::from_bytes(images.data(), images.size(), DType::uint8, shape, net.device());
  const Tensor map_bytes =
      maps.empty() ? Tensor()
                   : Tensor::from_bytes(maps.data(), maps.size_bytes(), DType::uint8,
                                        {static_cast<std::int64_t>(maps.size_bytes())}, net.device());
  return engine::augment(bytes, map_bytes, net.dtype());
}

Predictions predict(const Sequential& net, BatchSource& source, double label_smoothing,
                    const std::function<int()>& stop_signal) {
  const engine::NoGrad no_grad;
  Predictions predictions;
  predictions.classes = net.output_shape().back();
  source.start(0, 0);
  while (!(stop_signal && stop_signal())) {
    const auto batch = source.next();
    if (!batch) break;
    const Tensor logits = net.forward(to_input(net, batch->images, batch->count), {});
    predictions.append(logits.to_doubles(), batch->labels, label_smoothing);
  }
  return predictions;
}

TrainResult fit(Sequential& net, engine::Optimizer& optimizer, BatchSource& train, BatchSource* validation,
                const TrainOptions& options, TrainState& state, const std::vector<Callback*>& callbacks) {
  const auto signal = [&] { return options.stop_signal ? options.stop_signal() : 0; };
  const auto interrupted = [&] {
    for (Callback* c : callbacks) c->on_interrupt(state);
    return TrainResult{StopReason::signal, signal()};
  };

  Run run(net, optimizer, options, state);
  for (Callback* c : callbacks) c->on_begin(state);
  while (state.epoch() < options.epochs) {
    for (Callback* c : callbacks) {
      if (c->has_enough(state)) return {StopReason::early, 0};
    }
    const auto begin = Clock::now();
    const double waited = train.wait_seconds();
    std::int64_t trained = 0;
    double lr = options.learning_rate(state.step > 0 ? state.step - 1 : 0);
    engine::reset_peak(net.device());

    train.start(state.epoch(), state.batch);
    while (const auto batch = train.next()) {
      StepReport report = run.step(*batch);
      report.batches = train.batches();
      trained += batch->count;
      lr = report.lr;
      for (Callback* c : callbacks) c->on_step(report, state);
      if (signal()) return interrupted();
    }
    EpochTiming timing{.images_per_second = static_cast<double>(trained) / seconds_since(begin),
                       .wait_seconds = train.wait_seconds() - waited};

    EpochMetrics metrics;
    metrics.loss = state.running.loss();
    metrics.accuracy = state.running.accuracy();
    metrics.lr = lr;
    require_finite_weights(net, state);
    if (validation) {
      const Predictions p = predict(net, *validation, options.label_smoothing, options.stop_signal);
      if (signal()) return interrupted();
      metrics.val_loss = mean_loss(p);
      metrics.val_accuracy = accuracy(p);
      if (!std::isfinite(*metrics.val_loss)) {
        throw Diverged(fmt::format("training diverged in epoch {}: the validation loss became {}; {}",
                                   state.epoch() + 1, *metrics.val_loss, advice));
      }
    }
    timing.seconds = seconds_since(begin);
    timing.peak_bytes = engine::memory_stats(net.device()).peak;
    state.history.push_back(metrics);
    state.batch = 0;
    state.running = {};
    for (Callback* c : callbacks) c->on_epoch(timing, state);
    if (signal()) return interrupted();
  }
  return {StopReason::finished, 0};
}

}  // namespace roentgen::model

// The recipe's network in training and inference: a step, an epoch of 251 images, evaluation.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "apps/batches.h"
#include "bench/rows.h"
#include "bench/target.h"
#include "data/phantom.h"
#include "engine/dispatch.h"
#include "engine/memory.h"
#include "engine/optimizer.h"
#include "model/trainer.h"
#include "model/xray_cnn.h"

namespace roentgen::bench {

namespace {

using engine::DType;

constexpr std::int64_t batch_size = 16, recipe_images = 251;

// As many phantoms as the recipe has images to train on, decoded.
const data::Dataset& images(bool smoke) {
  static const auto dataset = [&] {
    std::string folder = std::filesystem::temp_directory_path() / "roentgen-bench-XXXXXX";
    if (!mkdtemp(folder.data())) throw std::runtime_error("cannot make a folder '" + folder + "' for images");
    const int size = smoke ? 64 : 256;
    const std::int64_t count = smoke ? 2 * batch_size + 3 : recipe_images;
    data::write_phantoms(
        folder, {.train_per_class = static_cast<int>(count / 3 + 1), .test_per_class = 0, .size = size});
    data::ImageFolder all = data::load_split(folder, data::Split::train);
    const auto order = data::epoch_order(std::ssize(all.samples), 0, 0, true);
    all = data::subset(all, std::span(order).first(static_cast<std::size_t>(count)));
    auto decoded =
        std::make_unique<data::Dataset>(std::move(all), data::DatasetOptions{.height = size, .width = size});
    std::filesystem::remove_all(folder);
    return decoded;
  }();
  return *dataset;
}

// Multiplications and additions of a training step on n images: each layer forward, weights and, but for the
// first, data.
double step_flops(std::int64_t n, std::int64_t side) {
  double flops = 0;
  std::int64_t c = 3;
  for (const std::int64_t k : {32, 64, 128}) {
    side -= 2;
    flops += (c == 3 ? 2.0 : 3.0) * 2 * static_cast<double>(side * side * k * c * 9);
    side /= 2;
    c = k;
  }
  return static_cast<double>(n) * (flops + 3 * 2 * static_cast<double>((side * side * c + 3) * 64));
}

// A network in training.
struct Trainee {
  model::Sequential net;
  std::unique_ptr<engine::Adam> optimizer;
  model::TrainState state = {};

  Trainee(std::int64_t side, const engine::Device& device, DType dtype)
      : net(model::xray_cnn({.image_size = side})) {
    net.build(device, dtype);
    optimizer = std::make_unique<engine::Adam>(net.parameters());
  }

  // Trains one epoch of `source` as the recipe does.
  void epoch(model::BatchSource& source) {
    model::TrainOptions options;
    options.epochs = state.epoch() + 1;
    options.augmentation.emplace();
    model::fit(net, *optimizer, source, nullptr, options, state);
  }
};

// Whole batches without end, for as long as the benchmark wants to go on: so fit()'s own loop is timed.
class EndlessSource : public model::BatchSource {
 public:
  EndlessSource(const data::Dataset& dataset, std::function<bool()> more)
      : source_(dataset, {.batch_size = batch_size},
                [&dataset](std::int64_t epoch) {
                  auto order = data::epoch_order(dataset.size(), 0, static_cast<std::uint32_t>(epoch), true);
                  order.resize(order.size() / batch_size * batch_size);
                  return order;
                }),
        more_(std::move(more)) {}

  void start(std::int64_t, std::int64_t) override { source_.start(0, 0); }
  std::optional<model::ImageBatch> next() override {
    if (!more_()) return std::nullopt;
    auto batch = source_.next();
    if (!batch) {
      source_.start(++epoch_, 0);
      batch = source_.next();
    }
    return batch;
  }
  std::int64_t batches() const override { return source_.batches(); }

 private:
  apps::LoaderSource source_;
  std::function<bool()> more_;
  std::int64_t epoch_ = 0;
};

// That of the last row is kept: its repetitions follow each other.
Trainee& trainee(const std::string& row, std::int64_t side, const Target& target, DType dtype) {
  static std::string last_row;
  static std::unique_ptr<Trainee> last;
  if (last_row == row) return *last;
  last.reset();
  last = std::make_unique<Trainee>(side, target.device, dtype);
  last_row = row;
  return *last;
}

using Body = std::function<void(benchmark::State&, Trainee&, const data::Dataset&)>;

void add_row(const std::string& name, const Target& target, DType dtype, const Settings& settings,
             Body body) {
  const std::string row = name + "/" + target.name + "/" + engine::to_string(dtype);
  auto* benchmark = benchmark::RegisterBenchmark(
      row.c_str(), [row, target, dtype, body, smoke = settings.smoke](benchmark::State& state) {
        const data::Dataset& dataset = images(smoke);
        body(state, trainee(row, dataset.height(), target, dtype), dataset);
      });
  benchmark->UseRealTime()->Unit(benchmark::kMillisecond);
  if (settings.smoke) benchmark->Iterations(1);
}

void count(benchmark::State& state, double images_an_iteration, double flops) {
  const auto rate = benchmark::Counter::kIsIterationInvariantRate;
  state.counters["images_per_second"] = {images_an_iteration, rate};
  state.counters["flops_per_second"] = {flops, rate};
}

void time_steps(benchmark::State& state, Trainee& trainee, const data::Dataset& dataset) {
  if (trainee.state.step == 0) {
    EndlessSource warm_up(dataset, [&] { return trainee.state.step < 1; });
    trainee.epoch(warm_up);
  }
  EndlessSource source(dataset, [&] { return state.KeepRunning(); });
  trainee.epoch(source);
  count(state, batch_size, step_flops(batch_size, dataset.height()));
  state.counters["peak_bytes"] = static_cast<double>(engine::memory_stats(trainee.net.device()).peak);
  state.SetLabel(fmt::format("batch {}: pick, augment, forward, loss, backward, Adam", batch_size));
}

void time_epochs(benchmark::State& state, Trainee& trainee, const data::Dataset& dataset) {
  apps::LoaderSource source(dataset, {.batch_size = batch_size}, [&](std::int64_t epoch) {
    return data::epoch_order(dataset.size(), 0, static_cast<std::uint32_t>(epoch), true);
  });
  for (auto _ : state) trainee.epoch(source);
  count(state, static_cast<double>(dataset.size()), step_flops(dataset.size(), dataset.height()));
  state.counters["wait_seconds"] = {source.wait_seconds(), benchmark::Counter::kAvgIterations};
  state.counters["peak_bytes"] = static_cast<double>(engine::memory_stats(trainee.net.device()).peak);
  state.SetLabel(fmt::format("{} images, batch {}", dataset.size(), batch_size));
}

void time_evaluation(benchmark::State& state, Trainee& trainee, const data::Dataset& dataset) {
  apps::LoaderSource source(dataset, {.batch_size = batch_size}, apps::sorted_order(dataset.size()));
  for (auto _ : state) benchmark::DoNotOptimize(model::predict(trainee.net, source));
  state.counters["images_per_second"] = {static_cast<double>(dataset.size()),
                                         benchmark::Counter::kIsIterationInvariantRate};
  state.SetLabel(fmt::format("{} images, batch {}", dataset.size(), batch_size));
}

}  // namespace

void add_training_rows(const Settings& settings) {
  for (const Target& target : targets()) {
    // A step of `reference` takes minutes.
    if (std::holds_alternative<kernels::Reference>(target.device)) continue;
    for (const DType dtype : {DType::float32, DType::bfloat16}) {
      add_row("step", target, dtype, settings, time_steps);
      add_row("epoch", target, dtype, settings, time_epochs);
      add_row("evaluate", target, dtype, settings, time_evaluation);
    }
  }
}

}  // namespace roentgen::bench

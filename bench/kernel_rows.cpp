#include "bench/kernel_rows.h"

#include <benchmark/benchmark.h>

#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "engine/dispatch.h"
#if ROENTGEN_WITH_CUDA
#include "bench/cuda_timer.h"
#endif

namespace roentgen::bench {

namespace {

// A row works on so many sets of buffers, one after the other, that its data come from where they come from
// in a training step, which touches about this much. What is small comes from the cache there too.
constexpr double step_working_set = 256e6, small = 64e3;
constexpr double most_sets = 32;

// Rough rates of the plain loops, to keep rows and errors of `reference` within sensible time.
double reference_seconds(const Case& c) {
  return c.flops / 3e9 + c.bytes() / 5e8;
}
constexpr double longest_reference_row = 1, longest_reference_error = 10;

struct Row {
  std::string name;  // without device and type
  Target target;
  DType dtype;
  MakeCase make, make_reference;
  Geometry geometry, error_geometry;
  Peaks peaks;
  std::optional<double> error = {};  // computed when first asked for; negative where that would take too long
};

bool is_reference(const Target& target) {
  return std::holds_alternative<kernels::Reference>(target.device);
}
bool is_cuda(const Target& target) {
  return target.name.starts_with("cuda");
}

// The results of `reference`, of the last case of each type: rows of several targets share them.
const Memory& reference_results(const Row& row, const Case& c) {
  static std::map<DType, std::pair<std::string, Memory>> results;
  auto& [name, memory] = results[row.dtype];
  if (name != row.name) {
    memory = allocate(c, kernels::Reference{});
    c.run(memory);
    name = row.name;
  }
  return memory;
}

double error_of(const Row& row) {
  const Case c = row.make(row.error_geometry), reference = row.make_reference(row.error_geometry);
  if (reference_seconds(reference) > longest_reference_error) return -1;
  const Memory got = allocate(c, row.target.device);
  c.run(got);
  return nmse(c, got, reference_results(row, reference));
}

// A row's case with its buffers. Those of the last row are kept: its repetitions follow each other.
struct Prepared {
  std::string name;
  Case c;
  std::vector<Memory> sets;
};

const Prepared& prepare(const Row& row, const std::string& full_name) {
  static std::unique_ptr<Prepared> last;
  if (last && last->name == full_name) return *last;
  last.reset();
  auto prepared = std::make_unique<Prepared>(Prepared{full_name, row.make(row.geometry), {}});
  const double bytes = prepared->c.footprint();
  const bool rotate = !is_reference(row.target) && bytes > small;
  const double sets = rotate ? std::clamp(std::ceil(step_working_set / bytes), 1.0, most_sets) : 1;
  for (int i = 0; i < static_cast<int>(sets); ++i) {
    prepared->sets.push_back(allocate(prepared->c, row.target.device));
  }
  if (!is_reference(row.target)) prepared->c.run(prepared->sets.front());
  last = std::move(prepared);
  return *last;
}

void time(benchmark::State& state, const Row& row, const Prepared& prepared) {
  std::size_t i = 0;
  const auto next = [&]() -> const Memory& { return prepared.sets[i++ % prepared.sets.size()]; };
#if ROENTGEN_WITH_CUDA
  if (const auto* device = std::get_if<kernels::Cuda>(&row.target.device)) {
    CudaTimer timer(*device);
    for (auto _ : state) state.SetIterationTime(timer.seconds([&] { prepared.c.run(next()); }));
    return;
  }
#endif
  static_cast<void>(row);
  for (auto _ : state) prepared.c.run(next());
}

void run_row(benchmark::State& state, Row& row, const std::string& full_name) {
  const EngineChoice choice(row.target);
  if (!row.error && !is_reference(row.target)) row.error = error_of(row);
  const Prepared& prepared = prepare(row, full_name);
  const Case& c = prepared.c;
  time(state, row, prepared);

  const auto rate = benchmark::Counter::kIsIterationInvariantRate;
  const double working_set = c.footprint() * static_cast<double>(prepared.sets.size());
  if (c.flops > 0) state.counters["flops_per_second"] = {c.flops, rate};
  state.counters["bytes_per_second"] = {c.bytes(), rate};
  state.counters["roofline"] = {row.peaks.bound_seconds(c.flops, c.bytes(), working_set, row.dtype), rate};
  if (c.images > 0) state.counters["images_per_second"] = {c.images, rate};
  if (row.error && *row.error >= 0) state.counters["nmse"] = *row.error;
  state.SetLabel(c.shape);
}

}  // namespace

void add_kernel_row(const std::string& name, const Target& target, DType dtype, MakeCase make,
                    MakeCase make_reference, const Settings& settings) {
  const Geometry one = {.batch = 1, .shrink = settings.smoke ? 8 : 1};
  Geometry geometry = {.batch = settings.smoke ? 2 : 16, .shrink = one.shrink};
  if (is_reference(target)) {
    if (reference_seconds(make(geometry)) > longest_reference_row) geometry.batch = 1;
    if (reference_seconds(make(geometry)) > longest_reference_row) return;
  }
  const auto row = std::make_shared<Row>(Row{name, target, dtype, std::move(make), std::move(make_reference),
                                             geometry, one, is_cuda(target) ? settings.cuda : settings.cpu});
  const std::string full_name = name + "/" + target.name + "/" + engine::to_string(dtype);
  auto* benchmark = benchmark::RegisterBenchmark(
      full_name.c_str(), [row, full_name](benchmark::State& state) { run_row(state, *row, full_name); });
  if (settings.smoke) benchmark->Iterations(1);
  if (is_reference(target)) benchmark->Repetitions(1);
  if (is_cuda(target)) {
    benchmark->UseManualTime();
  } else {
    benchmark->UseRealTime();
  }
}

}  // namespace roentgen::bench

// roentgen_bench: what `roentgen bench` runs. Google Benchmark's own flags work too (--benchmark_filter,
// ...).
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/kernel_rows.h"
#include "bench/rows.h"
#include "bench/table.h"
#include "kernels/cpu/parallel.h"

namespace roentgen::bench {

namespace {

constexpr const char* help =
    R"(Usage: roentgen_bench [--smoke] [--threads=N] [--program=PATH] [--benchmark_...]

Times kernels, training steps and epochs, image decoding and start-up, each row against this machine's own peaks,
which are measured first.

--smoke         run each row once, on tiny shapes: shows that all of them run
--threads=N     threads that kernels run on; default all processors
--program=PATH  the program whose start-up is timed; default roentgen beside this one
--benchmark_filter=REGEX      rows to run ("-REGEX": not to run). Default all but op/..., the ops' small shapes
--benchmark_repetitions=N     how often each row is measured; medians and spread are shown
--benchmark_min_time=SECONDS  of a repetition; default 0.2
--benchmark_out=FILE          write all results as JSON, for `roentgen bench --compare`
--benchmark_list_tests        list the rows
)";

// The value of "--name=value".
std::optional<std::string_view> value_of(std::string_view argument, std::string_view name) {
  if (!argument.starts_with(name) || argument.substr(name.size(), 1) != "=") return std::nullopt;
  return argument.substr(name.size() + 1);
}

int run(int argc, char** argv) {
  Settings settings;
  settings.program = std::filesystem::path(argv[0]).parent_path() / "roentgen";
  bool list = false, filtered = false, timed = false, kept = false;
  std::vector<std::string> rest = {argv[0]};
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") {
      std::fputs(help, stdout);
      return 0;
    }
    if (argument == "--smoke") {
      settings.smoke = true;
    } else if (const auto threads = value_of(argument, "--threads")) {
      int n = 0;
      const char* const end = threads->data() + threads->size();
      if (std::from_chars(threads->data(), end, n).ptr != end || n < 1) {
        throw std::invalid_argument(
            fmt::format("--threads is '{}', should be a whole number from 1", *threads));
      }
      kernels::set_thread_count(n);
    } else if (const auto program = value_of(argument, "--program")) {
      settings.program = *program;
    } else {
      list |= argument.starts_with("--benchmark_list_tests");
      filtered |= argument.starts_with("--benchmark_filter");
      kept |= argument.starts_with("--benchmark_out=");
      timed |= argument.starts_with("--benchmark_min_time");
      rest.emplace_back(argument);
    }
  }
  if (!filtered && !settings.smoke) rest.emplace_back("--benchmark_filter=-^op/");
  if (!timed) rest.emplace_back("--benchmark_min_time=0.2");
  std::vector<char*> arguments;
  for (std::string& argument : rest) arguments.push_back(argument.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;

  if (!list) settings.cpu = measure_cpu_peaks(settings.smoke);
#if ROENTGEN_WITH_CUDA
  for (const Target& target : targets()) {
    const auto* device = std::get_if<kernels::Cuda>(&target.device);
    if (device && !list) settings.cuda = measure_cuda_peaks(*device, settings.smoke);
  }
#endif
  add_training_rows(settings);
  const KernelTable table(settings);
  add_conv_cases(table);
  add_dense_cases(table);
  add_image_cases(table);
  add_loss_cases(table);
  add_elementwise_cases(table);
  add_image_rows(settings);
  add_startup_rows(settings);
#if ROENTGEN_WITH_OP_TABLE
  add_op_rows(settings);
#endif

  benchmark::AddCustomContext("build", ROENTGEN_BUILD);
  benchmark::AddCustomContext("threads", std::to_string(kernels::thread_count()));
  benchmark::AddCustomContext("float32_gflops", fmt::format("{:.4g}", settings.cpu.float32 / 1e9));
  benchmark::AddCustomContext("bfloat16_gflops", fmt::format("{:.4g}", settings.cpu.bfloat16 / 1e9));
  for (const Bandwidth& b : settings.cpu.bandwidth) {
    benchmark::AddCustomContext(fmt::format("triad_{:.3g}MB_gbytes", b.working_set / 1e6),
                                fmt::format("{:.4g}", b.bytes_per_second / 1e9));
  }
  Table report(settings);
  JsonResults results;
  benchmark::RunSpecifiedBenchmarks(&report, kept ? &results : nullptr);
  benchmark::Shutdown();
  return 0;
}

}  // namespace

}  // namespace roentgen::bench

int main(int argc, char** argv) {
  try {
    return roentgen::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "roentgen_bench: %s\n", error.what());
    return 1;
  }
}

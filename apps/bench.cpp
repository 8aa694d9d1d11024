// roentgen bench
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "apps/bench_compare.h"
#include "apps/command.h"
#include "apps/commands.h"
#include "apps/console.h"
#include "apps/errors.h"
#include "data/file.h"
#include "model/error.h"

namespace roentgen::apps {

namespace {

constexpr const char* examples =
    R"(Times are medians over the repetitions; +-% is their spread (1.4826 times the median absolute deviation).
roofline is the share of what the machine could do at best: its peaks are measured first. NMSE is the error
against device reference. --compare marks a row whose medians differ by more than three times the spread of
their difference and by more than 3 %, and whose repetitions do not overlap; rows of fewer than 3 repetitions
are never marked.

Examples:
  roentgen bench --filter '^(step|epoch)/'
  roentgen bench --filter conv --json before.json
  roentgen bench --compare before.json after.json)";

struct BenchArgs {
  std::string filter, json;
  int repetitions = 5, threads = 0;
  double min_time = 0.2;
  bool smoke = false;
  std::vector<std::string> compare;

  void add_to(Options& options) {
    options
        .add("--filter", filter, "Rows to run, a regular expression; -REGEX: not to run. Default all but op/")
        ->option_text("REGEX");
    options.add("--repetitions", repetitions, "How often each row is measured")->check(CLI::Range(1, 1000));
    options.add("--min-time", min_time, "Seconds that a repetition takes at least")
        ->check(CLI::Range(0.001, 3600.0));
    options.add("--threads", threads, "Threads that kernels run on, 0 for all processors")
        ->check(CLI::Range(0, 1024));
    options.add("--json", json, "Write all results to this file")->option_text("FILE");
    options.flag("--smoke", smoke, "Run each row once on tiny shapes: shows that all of them work");
    options.add("--compare", compare, "Run nothing; compare two results of --json")
        ->expected(2)
        ->option_text("OLD NEW");
  }
};

void compare(const std::vector<std::string>& files) {
  const BenchResults before = read_bench_results(files[0]), after = read_bench_results(files[1]);
  for (const auto& [key, value] : before.context) {
    const auto other = after.context.find(key);
    if (other != after.context.end() && other->second != value) {
      note(fmt::format("roentgen: the two differ in {}: {} and {}", key, value, other->second));
    }
  }
  print(compare_bench_results(before, after));
}

std::filesystem::path benchmarks_beside_program() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto benchmarks = program.parent_path() / "roentgen_bench";
  if (error || access(benchmarks.c_str(), X_OK) != 0) {
    throw std::runtime_error(
        fmt::format("the benchmarks are not built ('{}' is missing); install Google Benchmark, then: cmake "
                    "-B build -DROENTGEN_BENCH=ON && cmake --build build --target roentgen_bench",
                    data::printable(benchmarks)));
  }
  return benchmarks;
}

// Becomes the program of the benchmarks.
[[noreturn]] void run(const BenchArgs& args) {
  const std::string program = benchmarks_beside_program();
  std::vector<std::string> words = {program};
  if (!args.filter.empty()) words.push_back("--benchmark_filter=" + args.filter);
  if (args.threads > 0) words.push_back(fmt::format("--threads={}", args.threads));
  if (args.smoke) {
    words.push_back("--smoke");
  } else {
    words.push_back(fmt::format("--benchmark_repetitions={}", args.repetitions));
    words.push_back(fmt::format("--benchmark_min_time={}", args.min_time));
  }
  if (!args.json.empty()) {
    if (!std::ofstream(args.json, std::ios::app)) {
      throw model::IoError(fmt::format("cannot write the results to '{}': {}",
                                       data::printable(std::string_view(args.json)), std::strerror(errno)));
    }
    words.push_back("--benchmark_out=" + args.json);
    words.push_back("--benchmark_out_format=json");
  }
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(program.c_str(), arguments.data());
  throw std::runtime_error(
      fmt::format("cannot run '{}': {}", data::printable(std::string_view(program)), std::strerror(errno)));
}

}  // namespace

void add_bench(CLI::App& program) {
  add_command<BenchArgs>(program, "bench",
                         "Time kernels and training on this machine, or compare two such runs", examples,
                         [](const BenchArgs& args, const Options&) {
                           if (!args.compare.empty()) return compare(args.compare);
                           run(args);
                         });
}

}  // namespace roentgen::apps

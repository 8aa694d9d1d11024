#include "apps/bench_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <string_view>

#include <nlohmann/json.hpp>

#include "data/error.h"
#include "data/file.h"
#include "model/error.h"

namespace roentgen::apps {

namespace {

using nlohmann::json;

// A row's name without what Google Benchmark appends: how it was timed and repeated.
std::string row_name(std::string name) {
  constexpr std::array<std::string_view, 8> appended = {"real_time",   "manual_time",     "process_time",
                                                        "iterations:", "repeats:",        "min_time:",
                                                        "threads:",    "min_warmup_time:"};
  for (;;) {
    const std::size_t slash = name.rfind('/');
    if (slash == std::string::npos) return name;
    const std::string_view last = std::string_view(name).substr(slash + 1);
    if (std::none_of(appended.begin(), appended.end(), [&](auto word) { return last.starts_with(word); })) {
      return name;
    }
    name.resize(slash);
  }
}

// Throws json::exception for an unknown one.
double seconds_per(const std::string& unit) {
  static const json units = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1.0}};
  return units.at(unit).get<double>();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

struct Estimate {
  double median = 0, deviation = 0;  // the latter as of a normal distribution
  double fastest = 0, slowest = 0;
  std::size_t repetitions = 0;

  explicit Estimate(const std::vector<double>& seconds)
      : median(apps::median(seconds)),
        fastest(*std::min_element(seconds.begin(), seconds.end())),
        slowest(*std::max_element(seconds.begin(), seconds.end())),
        repetitions(seconds.size()) {
    std::vector<double> distances;
    for (const double s : seconds) distances.push_back(std::abs(s - median));
    deviation = 1.4826 * apps::median(distances);
  }
};

constexpr std::size_t fewest_repetitions = 3;

bool changed(const Estimate& a, const Estimate& b) {
  if (std::min(a.repetitions, b.repetitions) < fewest_repetitions) return false;
  const double difference = std::abs(b.median - a.median);
  const bool apart = a.slowest < b.fastest || b.slowest < a.fastest;
  return apart && difference > 3 * std::hypot(a.deviation, b.deviation) && difference > 0.03 * a.median;
}

std::string in_units(double seconds) {
  if (seconds < 1e-6) return fmt::format("{:.4g} ns", seconds * 1e9);
  if (seconds < 1e-3) return fmt::format("{:.4g} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.4g} ms", seconds * 1e3);
  return fmt::format("{:.4g} s ", seconds);
}

std::string only_in(const char* which, const BenchResults& one, const BenchResults& other) {
  std::string lines;
  for (const std::string& row : one.rows) {
    if (!other.seconds.contains(row)) lines += fmt::format("only in {}: {}\n", which, row);
  }
  return lines;
}

}  // namespace

BenchResults read_bench_results(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream || std::filesystem::is_directory(file)) {
    throw model::IoError(fmt::format("cannot read the benchmark results '{}'", data::printable(file)));
  }
  BenchResults results;
  try {
    const json content = json::parse(stream);
    for (const char* key : {"num_cpus", "mhz_per_cpu", "threads", "build"}) {
      const json& context = content.at("context");
      if (!context.contains(key)) continue;
      results.context[key] = context[key].is_string() ? context[key].get<std::string>() : context[key].dump();
    }
    for (const json& run : content.at("benchmarks")) {
      if (run.value("run_type", "iteration") != "iteration" || run.value("error_occurred", false)) continue;
      const std::string row = row_name(run.at("name").get<std::string>());
      const double seconds =
          run.at("real_time").get<double>() * seconds_per(run.at("time_unit").get<std::string>());
      auto& repetitions = results.seconds[row];
      if (repetitions.empty()) results.rows.push_back(row);
      repetitions.push_back(seconds);
    }
  } catch (const json::exception&) {
    throw data::DataError(fmt::format(
        "'{}' holds no benchmark results; write some with roentgen bench --json", data::printable(file)));
  }
  return results;
}

std::string compare_bench_results(const BenchResults& before, const BenchResults& after) {
  std::size_t width = 3;
  for (const std::string& row : before.rows) {
    if (after.seconds.contains(row)) width = std::max(width, row.size());
  }
  std::string table = fmt::format("{:{}}  {:>10}  {:>10}  {:>7}\n", "row", width, "old", "new", "new/old");
  int compared = 0, faster = 0, slower = 0, unsure = 0;
  for (const std::string& row : before.rows) {
    const auto found = after.seconds.find(row);
    if (found == after.seconds.end()) continue;
    const Estimate a(before.seconds.at(row)), b(found->second);
    const bool marked = changed(a, b), better = b.median < a.median;
    table += fmt::format("{:{}}  {:>10}  {:>10}  {:>7.3f}{}\n", row, width, in_units(a.median),
                         in_units(b.median), b.median / a.median,
                         !marked  ? ""
                         : better ? "  faster"
                                  : "  SLOWER");
    ++compared;
    faster += marked && better;
    slower += marked && !better;
    unsure += std::min(a.repetitions, b.repetitions) < fewest_repetitions;
  }
  table += only_in("old", before, after) + only_in("new", after, before);
  table += fmt::format("{} rows compared: {} faster, {} slower beyond noise", compared, faster, slower);
  if (unsure > 0) table += fmt::format(", {} measured too seldom to tell", unsure);
  return table + "\n";
}

}  // namespace roentgen::apps

#include "bench/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <map>

namespace roentgen::bench {

namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Three significant digits and a unit.
std::string in_units(double seconds) {
  const auto [factor, unit] = seconds < 1e-6   ? std::pair{1e9, "ns"}
                              : seconds < 1e-3 ? std::pair{1e6, "us"}
                              : seconds < 1    ? std::pair{1e3, "ms"}
                                               : std::pair{1.0, "s "};
  return fmt::format("{:.3g} {}", seconds * factor, unit);
}

std::string rate(double per_second) {
  return per_second <= 0 ? "n/a" : fmt::format("{:.4g}", per_second / 1e9);
}

std::string describe(const char* device, const Peaks& peaks) {
  std::string line = fmt::format("Peaks of {}: float32 {} GFLOP/s, bfloat16 {} GFLOP/s", device,
                                 rate(peaks.float32), rate(peaks.bfloat16));
  for (const Bandwidth& b : peaks.bandwidth) {
    line += fmt::format(", {:.3g} MB {} GB/s", b.working_set / 1e6, rate(b.bytes_per_second));
  }
  return line + "\n";
}

}  // namespace

bool Table::ReportContext(const Context& context) {
  name_width_ = std::clamp<std::size_t>(context.name_field_width, 24, 60);
  std::string head = describe("cpu", settings_.cpu);
  if (settings_.cuda.float32 > 0) head += describe("cuda", settings_.cuda);
  head += fmt::format("\n{:{}} {:>10} {:>6} {:>8} {:>8} {:>8} {:>8} {:>9}  {}\n", "row", name_width_, "time",
                      "+-%", "GFLOP/s", "GB/s", "roofline", "img/s", "NMSE", "what");
  std::fputs(head.c_str(), stdout);
  std::fflush(stdout);
  return true;
}

void Table::ReportRuns(const std::vector<Run>& runs) {
  std::vector<double> seconds;
  std::map<std::string, std::vector<double>> counters;
  for (const Run& run : runs) {
    if (run.run_type != Run::RT_Iteration) continue;
    seconds.push_back(run.GetAdjustedRealTime() / benchmark::GetTimeUnitMultiplier(run.time_unit));
    for (const auto& [name, counter] : run.counters) counters[name].push_back(counter.value);
  }
  if (seconds.empty()) return;
  const double middle = median(seconds);
  std::vector<double> deviations;
  for (const double s : seconds) deviations.push_back(std::abs(s - middle));
  const auto cell = [&](const char* name, double scale, const char* format) {
    const auto found = counters.find(name);
    return found == counters.end() ? "" : fmt::format(fmt::runtime(format), median(found->second) * scale);
  };
  const std::string spread =
      seconds.size() < 3 ? "" : fmt::format("{:.1f}", 148.26 * median(deviations) / middle);
  std::string what = runs.front().report_label;
  if (counters.count("peak_bytes")) what += fmt::format(", peak {} MB", cell("peak_bytes", 1e-6, "{:.0f}"));
  if (counters.count("wait_seconds"))
    what += fmt::format(", waiting {} ms", cell("wait_seconds", 1e3, "{:.2g}"));
  const std::string line = fmt::format(
      "{:{}} {:>10} {:>6} {:>8} {:>8} {:>8} {:>8} {:>9}  {}\n", runs.front().run_name.function_name,
      name_width_, in_units(middle), spread, cell("flops_per_second", 1e-9, "{:.4g}"),
      cell("bytes_per_second", 1e-9, "{:.3g}"), cell("roofline", 100, "{:.0f}%"),
      cell("images_per_second", 1, "{:.4g}"), cell("nmse", 1, "{:.1e}"), what);
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

void JsonResults::ReportRuns(const std::vector<Run>& runs) {
  std::vector<Run> repetitions;
  std::copy_if(runs.begin(), runs.end(), std::back_inserter(repetitions),
               [](const Run& run) { return run.run_type == Run::RT_Iteration; });
  benchmark::JSONReporter::ReportRuns(repetitions);
}

}  // namespace roentgen::bench

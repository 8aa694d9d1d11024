// The benchmarks' results as a table, a row as soon as it is measured.
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/settings.h"

namespace roentgen::bench {

class Table : public benchmark::BenchmarkReporter {
 public:
  explicit Table(const Settings& settings) : settings_(settings) {}
  bool ReportContext(const Context& context) override;
  // The repetitions of one row: their median and spread.
  void ReportRuns(const std::vector<Run>& runs) override;

 private:
  const Settings& settings_;
  std::size_t name_width_ = 0;
};

// Google Benchmark's JSON without its aggregates, whose NaN (a coefficient of variation of 0) is no JSON.
class JsonResults : public benchmark::JSONReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override;
};

}  // namespace roentgen::bench

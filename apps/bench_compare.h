// What changed between two runs of the benchmarks.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace roentgen::apps {

// Seconds of each repetition, by row; rows in the file's order.
struct BenchResults {
  std::vector<std::string> rows;
  std::map<std::string, std::vector<double>> seconds;
  std::map<std::string, std::string> context;  // what makes runs comparable: processor, threads, build
};

// Reads the JSON that Google Benchmark writes. Throws model::IoError where it cannot be read, data::DataError
// where it is something else.
BenchResults read_bench_results(const std::filesystem::path& file);

// A table of medians and their ratios. A row counts as changed where all of this holds, since two runs of the
// same program differ too: its medians differ by more than 3 sqrt(s_old^2 + s_new^2), s being 1.4826 times
// the median absolute deviation of its repetitions; by more than 3 % of the old one; and the slowest
// repetition of one run is faster than the fastest of the other. A row of fewer than 3 repetitions is never
// marked.
std::string compare_bench_results(const BenchResults& before, const BenchResults& after);

}  // namespace roentgen::apps

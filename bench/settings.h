// What the command line and the machine say about a run of the benchmarks.
#pragma once

#include <filesystem>

#include "bench/peaks.h"

namespace roentgen::bench {

struct Settings {
  bool smoke = false;             // tiny shapes, each case once: shows that all of them run
  double min_time = 0.2;          // seconds a repetition takes at least
  std::filesystem::path program;  // roentgen, for start-up times
  Peaks cpu, cuda;                // cuda's are zero where there is none
};

}  // namespace roentgen::bench

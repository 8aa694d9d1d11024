// The best rate of several tries: what peaks are measured with.
#pragma once

#include <algorithm>
#include <chrono>

namespace roentgen::bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Calls run() `tries` times, each of which does `work`, and returns the highest work per second.
template <class F>
double best_rate(double work, int tries, F&& run) {
  double best = 0;
  for (int i = 0; i < tries; ++i) {
    const auto begin = Clock::now();
    run();
    best = std::max(best, work / seconds_since(begin));
  }
  return best;
}

}  // namespace roentgen::bench

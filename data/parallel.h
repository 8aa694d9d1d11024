// A loop over independent pieces of work on several threads.
#pragma once

#include <cstdint>
#include <functional>

namespace roentgen::data {

// `wanted` threads, or as many as there are cores for 0; at least 1. Throws std::invalid_argument if
// negative.
int worker_count(int wanted);

// Calls work(i) once for each i in [0, n). `progress(done, n)`, where given, is called after each, one call
// at a time. If any throws, no further i is begun and, when all threads have ended, the exception of the
// lowest i is rethrown: the same whatever the number of threads, since i are begun in rising order.
void parallel_for(std::int64_t n, int workers, const std::function<void(std::int64_t)>& work,
                  const std::function<void(std::int64_t, std::int64_t)>& progress = {});

}  // namespace roentgen::data

#include "data/parallel.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace roentgen::data {

int worker_count(int wanted) {
  if (wanted < 0) throw std::invalid_argument(fmt::format("workers: {} is negative", wanted));
  if (wanted > 0) return wanted;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

void parallel_for(std::int64_t n, int workers, const std::function<void(std::int64_t)>& work,
                  const std::function<void(std::int64_t, std::int64_t)>& progress) {
  std::atomic<std::int64_t> next{0};
  std::mutex mutex;  // guards the three below
  std::int64_t done = 0, failed_at = n;
  std::exception_ptr failure;

  const auto run = [&] {
    for (std::int64_t i; (i = next.fetch_add(1)) < n;) {
      try {
        work(i);
        if (progress) {
          const std::lock_guard lock(mutex);
          progress(++done, n);
        }
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (i < failed_at) failed_at = i, failure = std::current_exception();
        next = n;
      }
    }
  };
  const std::int64_t threads = std::min<std::int64_t>(worker_count(workers), n);
  std::vector<std::thread> others;
  for (std::int64_t t = 1; t < threads; ++t) others.emplace_back(run);
  run();
  for (std::thread& thread : others) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace roentgen::data

// Loops over the cores. One pool of threads for the whole process: OpenMP would need a second runtime under
// clang, hides its synchronisation from ThreadSanitizer, and spins against oneDNN's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace roentgen::kernels {

// Threads that a loop runs on, the caller's included. At first the number of processors this process may use.
int thread_count();

// Throws std::invalid_argument unless threads >= 1. Results never depend on it.
void set_thread_count(int threads);

namespace detail {
void run_tasks(std::int64_t tasks, void (*call)(void* context, std::int64_t task), void* context);
}

// Calls f(task) for task in [0, tasks), in any order. The caller takes part; a call from inside a task, or
// while another thread's loop has the pool, runs inline. The first exception stops the loop and is rethrown.
template <class F>
void parallel_for(std::int64_t tasks, F&& f) {
  using Function = std::remove_reference_t<F>;
  detail::run_tasks(
      tasks, [](void* context, std::int64_t task) { (*static_cast<Function*>(context))(task); },
      const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

// Calls f(begin, end) for ranges of `grain` elements that cover [0, n). The ranges depend on n and grain
// alone.
template <class F>
void parallel_ranges(std::int64_t n, std::int64_t grain, F&& f) {
  parallel_for((n + grain - 1) / grain,
               [&](std::int64_t task) { f(task * grain, std::min(n, (task + 1) * grain)); });
}

}  // namespace roentgen::kernels

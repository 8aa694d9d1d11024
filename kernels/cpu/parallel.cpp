#include "kernels/cpu/parallel.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace roentgen::kernels {
namespace {

// How long a thread looks out before it sleeps: longer than the gap between two kernels of a step, far
// shorter than anything a person would notice.
constexpr int spins = 4000;

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

int usable_processors() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

struct Job {
  std::int64_t tasks;
  void (*call)(void*, std::int64_t);
  void* context;
  std::atomic<std::int64_t> next{0};
  std::exception_ptr error{};  // guarded by the pool's mutex
};

thread_local bool inside = false;

class Pool {
 public:
  Pool() { start(usable_processors()); }
  ~Pool() { stop(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return threads_.load(std::memory_order_relaxed); }

  void resize(int threads) {
    std::lock_guard turn(turn_);
    if (threads == this->threads()) return;
    stop();
    start(threads);
  }

  // False where the pool is another thread's now.
  bool run(Job& job) {
    std::unique_lock turn(turn_, std::try_to_lock);
    if (!turn) return false;
    {
      std::lock_guard lock(mutex_);
      job_ = &job;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    work(job);
    // No worker joins from here on; those that did are waited for.
    {
      std::lock_guard lock(mutex_);
      job_ = nullptr;
    }
    for (int i = 0; i < spins && active_.load(std::memory_order_acquire) > 0; ++i) relax();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return active_.load(std::memory_order_acquire) == 0; });
    return true;
  }

 private:
  void start(int threads) {
    threads_ = threads;
    stopping_ = false;
    workers_.reserve(static_cast<std::size_t>(threads - 1));
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { serve(); });
  }

  void stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
  }

  void serve() {
    std::uint64_t seen = 0;
    inside = true;
    for (;;) {
      for (int i = 0; i < spins && generation_.load(std::memory_order_acquire) == seen; ++i) relax();
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
      seen = generation_.load(std::memory_order_relaxed);
      if (stopping_) return;
      if (!job_) continue;  // came too late
      Job& job = *job_;
      active_.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      work(job);
      lock.lock();
      if (active_.fetch_sub(1, std::memory_order_release) == 1) done_.notify_one();
    }
  }

  void work(Job& job) {
    const bool outer = std::exchange(inside, true);
    try {
      for (std::int64_t task; (task = job.next.fetch_add(1, std::memory_order_relaxed)) < job.tasks;)
        job.call(job.context, task);
    } catch (...) {
      job.next.store(job.tasks, std::memory_order_relaxed);
      std::lock_guard lock(mutex_);
      if (!job.error) job.error = std::current_exception();
    }
    inside = outer;
  }

  std::mutex turn_;   // held by the thread whose loop has the pool
  std::mutex mutex_;  // guards job_, stopping_ and changes of the counters
  std::condition_variable wake_, done_;
  Job* job_ = nullptr;
  bool stopping_ = false;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<int> active_{0}, threads_{1};
  std::vector<std::thread> workers_;
};

Pool& pool() {
  static Pool instance;
  return instance;
}

}  // namespace

int thread_count() {
  return pool().threads();
}

void set_thread_count(int threads) {
  if (threads < 1) throw std::invalid_argument(fmt::format("set_thread_count: {} threads", threads));
  if (inside) throw std::logic_error("set_thread_count: called from inside a parallel loop");
  pool().resize(threads);
}

void detail::run_tasks(std::int64_t tasks, void (*call)(void* context, std::int64_t task), void* context) {
  if (tasks > 1 && !inside && thread_count() > 1) {
    Job job{tasks, call, context};
    if (pool().run(job)) {
      if (job.error) std::rethrow_exception(job.error);
      return;
    }
  }
  for (std::int64_t task = 0; task < tasks; ++task) call(context, task);
}

}  // namespace roentgen::kernels

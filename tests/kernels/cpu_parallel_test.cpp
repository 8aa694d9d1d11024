#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "tests/kernels/cpu_support.h"

namespace roentgen::kernels {
namespace {

TEST(CpuParallel, EveryTaskRunsOnce) {
  testing::for_thread_counts([](int threads) {
    EXPECT_EQ(thread_count(), threads);
    for (const std::int64_t tasks : {0, 1, 2, 3, 1000}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(tasks));
      parallel_for(tasks, [&](std::int64_t task) { ++runs[static_cast<std::size_t>(task)]; });
      for (const auto& count : runs) EXPECT_EQ(count, 1);
    }
  });
}

TEST(CpuParallel, RangesDependOnSizeAndGrainAlone) {
  testing::for_thread_counts([](int) {
    std::vector<std::atomic<std::int64_t>> ends(4);
    parallel_ranges(10, 3, [&](std::int64_t begin, std::int64_t end) {
      ends[static_cast<std::size_t>(begin / 3)] = end;
    });
    EXPECT_EQ(ends[0], 3);
    EXPECT_EQ(ends[1], 6);
    EXPECT_EQ(ends[2], 9);
    EXPECT_EQ(ends[3], 10);
  });
}

TEST(CpuParallel, NestedLoopsRunInline) {
  testing::for_thread_counts([](int) {
    std::atomic<int> sum = 0;
    parallel_for(8, [&](std::int64_t) {
      const auto outer = std::this_thread::get_id();
      parallel_for(8, [&](std::int64_t) { sum += std::this_thread::get_id() == outer; });
    });
    EXPECT_EQ(sum, 64);
  });
}

TEST(CpuParallel, ExceptionsComeBackAndThePoolGoesOn) {
  testing::for_thread_counts([](int) {
    EXPECT_THROW(parallel_for(100,
                              [](std::int64_t task) {
                                if (task % 7 == 3) throw std::runtime_error("task");
                              }),
                 std::runtime_error);
    std::atomic<int> runs = 0;
    parallel_for(100, [&](std::int64_t) { ++runs; });
    EXPECT_EQ(runs, 100);
  });
}

// Loaders and the trainer may start loops at the same time, and the count may change between them.
TEST(CpuParallel, LoopsFromManyThreads) {
  const int before = thread_count();
  set_thread_count(3);
  std::atomic<int> runs = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i)
    callers.emplace_back([&] {
      for (int loop = 0; loop < 200; ++loop) parallel_for(5, [&](std::int64_t) { ++runs; });
    });
  for (int i = 0; i < 20; ++i) set_thread_count(1 + i % 4);
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(runs, 4 * 200 * 5);
  set_thread_count(before);
}

TEST(CpuParallel, RefusesBadCounts) {
  EXPECT_THROW(set_thread_count(0), std::invalid_argument);
  EXPECT_THROW(set_thread_count(-1), std::invalid_argument);
  EXPECT_THROW(
      parallel_for(1, [](std::int64_t) { parallel_for(1, [](std::int64_t) { set_thread_count(0); }); }),
      std::invalid_argument);
}

}  // namespace
}  // namespace roentgen::kernels

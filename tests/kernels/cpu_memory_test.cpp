#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "kernels/memory.h"

namespace roentgen::kernels {
namespace {

TEST(CpuMemory, BlocksAreAlignedAndApart) {
  std::vector<std::pair<char*, std::size_t>> blocks;
  for (const std::size_t bytes :
       {0ul, 1ul, 63ul, 64ul, 65ul, 513ul, 577ul, 100'000ul, (2ul << 20) - 1, 5'000'001ul}) {
    auto* block = static_cast<char*>(allocate(Cpu{}, bytes));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0u) << bytes;
    std::memset(block, static_cast<int>(blocks.size()), bytes);
    blocks.emplace_back(block, bytes);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto [block, bytes] = blocks[i];
    for (std::size_t j = 0; j < bytes; ++j) ASSERT_EQ(block[j], static_cast<char>(i));
    deallocate(Cpu{}, block, bytes);
  }
}

TEST(CpuMemory, CountsAndReuses) {
  release_cached(Cpu{});
  const MemoryStats before = memory_stats(Cpu{});
  reset_peak(Cpu{});
  void* a = allocate(Cpu{}, 3'000'000);
  void* b = allocate(Cpu{}, 1000);
  MemoryStats stats = memory_stats(Cpu{});
  EXPECT_EQ(stats.in_use, before.in_use + 3'001'000);
  EXPECT_EQ(stats.peak, before.in_use + 3'001'000);
  EXPECT_GE(stats.reserved, before.reserved + 3'001'000);
  const std::size_t reserved = stats.reserved;
  deallocate(Cpu{}, a, 3'000'000);
  EXPECT_EQ(memory_stats(Cpu{}).in_use, before.in_use + 1000);
  EXPECT_EQ(allocate(Cpu{}, 2'999'999), a) << "a freed block of the size should be handed out again";
  EXPECT_EQ(memory_stats(Cpu{}).reserved, reserved);
  deallocate(Cpu{}, a, 2'999'999);
  deallocate(Cpu{}, b, 1000);
  release_cached(Cpu{});
  stats = memory_stats(Cpu{});
  EXPECT_EQ(stats.in_use, before.in_use);
  EXPECT_EQ(stats.reserved, before.reserved);
  EXPECT_EQ(stats.peak, before.in_use + 3'001'000);
  reset_peak(Cpu{});
  EXPECT_EQ(memory_stats(Cpu{}).peak, before.in_use);
}

TEST(CpuMemory, RefusesTheImpossible) {
  EXPECT_THROW(allocate(Cpu{}, SIZE_MAX), std::bad_alloc);
  deallocate(Cpu{}, nullptr, 0);
}

TEST(CpuMemory, CopiesAndZeroes) {
  for (const std::size_t n : {0ul, 1ul, 1000ul, 3'000'003ul}) {
    std::vector<char> from(n + 1, 'x'), to(n + 1, 'y'), back(n + 1, 'z');
    for (std::size_t i = 0; i < n; ++i) from[i] = static_cast<char>(i * 31);
    copy_from_host(Cpu{}, from.data(), to.data(), n);
    copy_to_host(Cpu{}, to.data(), back.data(), n);
    EXPECT_EQ(std::memcmp(from.data(), back.data(), n), 0);
    EXPECT_EQ(to[n], 'y') << "written past the end";
    zero(Cpu{}, to.data(), n);
    EXPECT_EQ(std::count(to.begin(), to.end(), '\0'), static_cast<std::ptrdiff_t>(n));
    EXPECT_EQ(to[n], 'y') << "written past the end";
    synchronize(Cpu{});
  }
}

}  // namespace
}  // namespace roentgen::kernels

#if ROENTGEN_WITH_CUDA

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <set>

#include "kernels/error.h"
#include "tests/kernels/cuda_support.h"

namespace roentgen::kernels {
namespace {

using namespace cuda_testing;

class CudaContextTest : public CudaTest {};

TEST(CudaDevices, WrongOrdinalsAreNamed) {
  const int count = cuda_device_count();
  for (const int ordinal : {-1, count, count + 7}) {
    try {
      cuda_device(ordinal);
      FAIL() << "device " << ordinal << " of " << count;
    } catch (const DeviceError& error) {
      const std::string what = error.what();
      EXPECT_NE(what.find(count == 0 ? "no usable GPU" : "cuda:" + std::to_string(ordinal)),
                std::string::npos)
          << what;
    }
  }
}

TEST_F(CudaContextTest, OneContextForEachDevice) {
  EXPECT_EQ(cuda_device(0), cuda_device(0));
  EXPECT_EQ(cuda_device(0).context->ordinal(), 0);
}

TEST_F(CudaContextTest, MemoryMovesAndIsCounted) {
  const std::size_t before = memory_stats(device()).in_use;
  const std::vector<std::uint8_t> values = whole_values<std::uint8_t>(1023, 1, 100);
  void* a = allocate(device(), 1023);
  void* b = allocate(device(), 1023);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a) % 256, 0u);
  EXPECT_EQ(memory_stats(device()).in_use, before + 2046);
  copy_from_host(device(), values.data(), a, 1023);
  copy(device(), a, b, 1023);
  zero(device(), a, 1000);
  std::vector<std::uint8_t> from_a(1023), from_b(1023);
  copy_to_host(device(), a, from_a.data(), 1023);
  copy_to_host(device(), b, from_b.data(), 1023);
  EXPECT_EQ(from_b, values);
  for (std::size_t i = 0; i < 1023; ++i) EXPECT_EQ(from_a[i], i < 1000 ? 0 : values[i]);
  deallocate(device(), a, 1023);
  deallocate(device(), b, 1023);
  synchronize(device());
  EXPECT_EQ(memory_stats(device()).in_use, before);
  EXPECT_GE(memory_stats(device()).peak, before + 2046);
  reset_peak(device());
  EXPECT_EQ(memory_stats(device()).peak, before);
  release_cached(device());
  EXPECT_LE(memory_stats(device()).reserved, before + 2 * 512);
}

TEST_F(CudaContextTest, OutOfMemoryIsBadAlloc) {
  EXPECT_THROW(allocate(device(), std::size_t{1} << 61), std::bad_alloc);
}

// A source of at most three blocks.
struct Blocks {
  static inline std::multiset<std::size_t> sizes;
  static inline int living = 0;
  static void* allocate(std::size_t bytes) {
    if (living == 3) return nullptr;
    ++living;
    sizes.insert(bytes);
    return std::malloc(bytes);
  }
  static void deallocate(void* block) noexcept {
    --living;
    std::free(block);
  }
};

TEST(CudaPoolMemory, ReusesBlocksAndGivesThemBackWhenThereIsNoRoom) {
  Blocks::sizes.clear();
  Pool pool({Blocks::allocate, Blocks::deallocate}, true);
  void* a = pool.allocate(1000);
  pool.deallocate(a, 1000);
  void* b = pool.allocate(990);  // of the same class
  EXPECT_EQ(a, b);
  EXPECT_EQ(pool.stats().in_use, 990u);
  EXPECT_EQ(pool.stats().peak, 1000u);
  EXPECT_EQ(pool.stats().reserved, 1024u);
  void* c = pool.allocate(100000);
  void* d = pool.allocate(200000);
  pool.deallocate(c, 100000);
  void* e = pool.allocate(300000);  // the source is empty until c is given back
  EXPECT_EQ(Blocks::living, 3);
  EXPECT_THROW(pool.allocate(400000), std::bad_alloc);
  EXPECT_THROW(pool.allocate(~std::size_t{0}), std::bad_alloc);
  for (const auto& [block, bytes] : {std::pair{b, 990}, {d, 200000}, {e, 300000}})
    pool.deallocate(block, static_cast<std::size_t>(bytes));
  EXPECT_EQ(pool.stats().in_use, 0u);
  pool.release_cached();
  EXPECT_EQ(pool.stats().reserved, 0u);
  EXPECT_EQ(Blocks::living, 0);
  for (const std::size_t size : Blocks::sizes) EXPECT_EQ(size % 512, 0u);  // keeps blocks aligned
}

TEST(CudaPoolMemory, WastesAtMostAnEighth) {
  Blocks::sizes.clear();
  Pool pool({Blocks::allocate, Blocks::deallocate}, true);
  for (std::size_t bytes = 4097; bytes < 300000; bytes += 997) {
    void* block = pool.allocate(bytes);
    EXPECT_GE(pool.stats().reserved, bytes);
    EXPECT_LE(pool.stats().reserved, bytes + bytes / 8 + 512);
    pool.deallocate(block, bytes);
    pool.release_cached();
  }
}

TEST(CudaPoolMemory, WithoutCachingEveryBlockIsItsOwn) {
  Blocks::sizes.clear();
  Pool pool({Blocks::allocate, Blocks::deallocate}, false);
  void* a = pool.allocate(1000);
  EXPECT_EQ(*Blocks::sizes.begin(), 1000u);
  pool.deallocate(a, 1000);
  EXPECT_EQ(Blocks::living, 0);
  EXPECT_EQ(pool.stats().reserved, 0u);
}

}  // namespace
}  // namespace roentgen::kernels

#endif

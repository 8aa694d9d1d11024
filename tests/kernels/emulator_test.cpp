// The emulator must find what it is there to find: each kernel here has one planted mistake, and a twin
// without it. What a build can find depends on its sanitizer.
#if ROENTGEN_CUDA_EMULATED

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/numeric.h"
#include "kernels/emulator/emulator.h"

#if defined(__SANITIZE_ADDRESS__)
#define ROENTGEN_TEST_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define ROENTGEN_TEST_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ROENTGEN_TEST_ASAN 1
#elif __has_feature(thread_sanitizer)
#define ROENTGEN_TEST_TSAN 1
#endif
#endif

#if ROENTGEN_TEST_TSAN
// A race ends the program, so that a death test sees it and no other test can overlook one.
extern "C" const char* __tsan_default_options() {
  return "halt_on_error=1";
}
#endif

namespace roentgen::kernels {
namespace {

constexpr int threads = 64;
struct Row {
  float at[threads];
};

__global__ void reverse(float* y, bool with_barrier) {
  struct Shared : Row {};
  Shared& s = shared<Shared>();
  const int t = static_cast<int>(threadIdx.x);
  s.at[t] = static_cast<float>(t);
  if (with_barrier) __syncthreads();
  y[t] = s.at[threads - 1 - t];
}

__global__ void reuse(float* y, bool with_barrier) {  // of the buffer, before all have read it
  struct Shared : Row {};
  Shared& s = shared<Shared>();
  const int t = static_cast<int>(threadIdx.x);
  float sum = 0;
  for (int k = 0; k < 4; ++k) {
    s.at[t] = static_cast<float>(k * threads + t);
    __syncthreads();
    sum += s.at[(t + 1) % threads];
    if (with_barrier) __syncthreads();
  }
  y[t] = sum;
}

__global__ void read_unwritten(float* y, int written) {
  struct Shared : Row {};
  Shared& s = shared<Shared>();
  const int t = static_cast<int>(threadIdx.x);
  if (t < written) s.at[t] = 1;
  __syncthreads();
  y[t] = s.at[t] > 0 ? 1.0f : 0.0f;
}

// Lanes of a warp do not march in step.
__global__ void warp_handover(float* y, bool with_barrier) {
  struct Shared : Row {};
  Shared& s = shared<Shared>();
  const int t = static_cast<int>(threadIdx.x);
  s.at[t] = static_cast<float>(t);
  if (with_barrier) __syncwarp();
  y[t] = s.at[t ^ 1];
}

__global__ void early_return(float* y, int living) {
  if (static_cast<int>(threadIdx.x) >= living) return;
  __syncthreads();
  y[threadIdx.x] = 1;
}
__global__ void two_barriers(float* y, int first) {
  if (static_cast<int>(threadIdx.x) < first) {
    __syncthreads();
    y[threadIdx.x] = 1;
  } else {
    y[threadIdx.x] = 1;
    __syncthreads();
  }
}
__global__ void shuffle_of_some(float* y, int lanes) {
  const int t = static_cast<int>(threadIdx.x);
  float value = static_cast<float>(t);
  if (t % 32 < lanes) value = __shfl_down_sync(0xFFFFFFFFu, value, 1);
  y[t] = value;
}
__global__ void shuffle_from(float* y, int lane) {
  const int t = static_cast<int>(threadIdx.x);
  float value = static_cast<float>(t);
  if (t % 32 < 16) value = __shfl_sync(0xFFFFu, value, lane);
  y[t] = value;
}

__global__ void add_without_atomics(float* y, unsigned last_block) {
  if (blockIdx.x <= last_block) y[threadIdx.x] = y[threadIdx.x] + 1;
}

__global__ void write_beyond(float* y, int by) {
  y[static_cast<int>(threadIdx.x) + by] = 1;
}
__global__ void write_beyond_shared(float* y, int by) {
  struct Shared : Row {};
  float* s = shared<Shared>().at;
  s[static_cast<int>(threadIdx.x) + by] = 1;
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x];
}
__global__ void read_beyond_local(float* y, int i) {
  float values[4] = {1, 2, 3, 4};
  __syncthreads();
  const float* p = values;
  y[threadIdx.x] = p[i];
}
__global__ void unaligned_pack(float* y, int by) {
  if (threadIdx.x == 0) store_pack<float, 4>(y + by, {{1, 2, 3, 4}});
}
__global__ void overflowing(float* y, int base) {
  y[threadIdx.x] = static_cast<float>(static_cast<int>(threadIdx.x) + base);
}

// Runs a kernel on 64 floats in every order. True if all agree and none is NaN.
template <class... P, class... A>
bool agrees(void (*kernel)(float*, P...), A... arguments) {
  std::vector<float> first;
  bool same = true;
  emulator::for_each_order([&](int order) {
    const Scratch<float> y(cuda_device(0), threads);
    std::fill_n(y.data(), threads, 0.0f);
    launch(cuda_device(0), kernel, 1, threads, y.data(), arguments...);
    const std::vector<float> values(y.data(), y.data() + threads);
    for (const float value : values) same = same && !std::isnan(value);
    if (order == 0) first = values;
    same = same && std::memcmp(first.data(), values.data(), sizeof(float) * threads) == 0;
  });
  return same;
}

template <class... P, class... A>
void run(unsigned blocks, void (*kernel)(float*, P...), A... arguments) {
  const Scratch<float> y(cuda_device(0), threads);
  std::fill_n(y.data(), threads, 0.0f);
  launch(cuda_device(0), kernel, blocks, threads, y.data(), arguments...);
}

// The message of the fault that a kernel ends with, or nothing.
template <class... P, class... A>
std::string fault_of(void (*kernel)(float*, P...), A... arguments) {
  try {
    run(1, kernel, arguments...);
  } catch (const emulator::Fault& fault) {
    return fault.what();
  }
  return "";
}

TEST(Emulator, RunsCorrectKernels) {
  EXPECT_TRUE(agrees(reverse, true));
  EXPECT_TRUE(agrees(reuse, true));
  EXPECT_TRUE(agrees(read_unwritten, threads));
  EXPECT_TRUE(agrees(warp_handover, true));
  EXPECT_EQ(fault_of(early_return, threads), "");
  EXPECT_EQ(fault_of(two_barriers, threads), "");
  EXPECT_EQ(fault_of(shuffle_of_some, 32), "");
  EXPECT_EQ(fault_of(shuffle_from, 3), "");
  run(1, add_without_atomics, 0u);
  run(1, write_beyond, 0);
  run(1, write_beyond_shared, 0);
  run(1, read_beyond_local, 3);
  run(1, unaligned_pack, 4);
  run(1, overflowing, 0);
}

TEST(Emulator, NamesThePlaceOfADivergentBarrier) {
  EXPECT_NE(fault_of(early_return, 60).find("divergent __syncthreads"), std::string::npos);
  EXPECT_NE(fault_of(early_return, 60).find("emulator_test.cpp"), std::string::npos);
  EXPECT_NE(fault_of(two_barriers, 32).find("divergent __syncthreads"), std::string::npos);
  // After a fault the next launch works.
  EXPECT_TRUE(agrees(reverse, true));
}

TEST(Emulator, FindsShufflesWithMissingLanes) {
  EXPECT_NE(fault_of(shuffle_of_some, 16).find("warp operation"), std::string::npos);
  EXPECT_NE(fault_of(shuffle_from, 20).find("outside its mask"), std::string::npos);
}

TEST(Divisor, DividesAllThatItMay) {
  const std::int64_t divisors[] = {1,         2, 3, 5, 7, 31, 64, 127, 254, 1000003, 1 << 30, most_items - 1,
                                   most_items};
  for (const std::int64_t d : divisors) {
    const Divisor divisor(d);
    for (const std::int64_t q : {std::int64_t{0}, std::int64_t{1}, std::int64_t{1000}, most_items / d})
      for (const std::int64_t n : {q * d - 1, q * d, q * d + 1, most_items}) {
        if (n < 0 || n > most_items) continue;
        std::uint32_t rest = static_cast<std::uint32_t>(n);
        EXPECT_EQ(divisor.split(rest), n % d) << n << " by " << d;
        EXPECT_EQ(rest, n / d) << n << " by " << d;
      }
  }
}

TEST(Emulator, RefusesLaunchesThatNoGpuTakes) {
  const auto launched = [](dim3 blocks, dim3 size) {
    const Scratch<float> y(cuda_device(0), 4096);
    launch(cuda_device(0), overflowing, blocks, size, y.data(), 0);
  };
  EXPECT_THROW(launched(0, 64), emulator::Fault);
  EXPECT_THROW(launched(1, 2048), emulator::Fault);
  EXPECT_THROW(launched(dim3(1, 65536), 64), emulator::Fault);
  EXPECT_THROW(launched(1, 33), emulator::Fault);  // a part of a warp
}

#if !ROENTGEN_TEST_TSAN

TEST(Emulator, KernelsWithoutBarriersNeverSwitchStacks) {
  const std::uint64_t before = emulator::stats().switches;
  run(5, overflowing, 0);
  EXPECT_EQ(emulator::stats().switches - before, 10u);  // into each block and out of it
}

#endif
#if ROENTGEN_TEST_TSAN

// A shuffle carries its own value, and orders no other memory.
__global__ void shuffle_as_barrier(float* y) {
  struct Shared : Row {};
  Shared& s = shared<Shared>();
  const int t = static_cast<int>(threadIdx.x);
  s.at[t] = static_cast<float>(t);
  const float nothing = __shfl_xor_sync(0xFFFFFFFFu, 0.0f, 1);
  y[t] = s.at[t ^ 1] + nothing;
}

TEST(EmulatorDeathTest, ThreadSanitizerFindsRaces) {
  EXPECT_EXIT(run(1, reverse, false), ::testing::ExitedWithCode(66), "data race");
  EXPECT_EXIT(run(1, reuse, false), ::testing::ExitedWithCode(66), "data race");
  EXPECT_EXIT(run(1, warp_handover, false), ::testing::ExitedWithCode(66), "data race");
  EXPECT_EXIT(run(1, shuffle_as_barrier), ::testing::ExitedWithCode(66), "data race");
  EXPECT_EXIT(run(4, add_without_atomics, 3u), ::testing::ExitedWithCode(66), "data race");
}

#else

TEST(Emulator, OrdersAndPoisonFindMissingBarriers) {
  EXPECT_FALSE(agrees(reverse, false));
  EXPECT_FALSE(agrees(reuse, false));
  EXPECT_FALSE(agrees(warp_handover, false));
  EXPECT_FALSE(agrees(read_unwritten, threads - 4));
}

#endif
#if ROENTGEN_TEST_ASAN

TEST(EmulatorDeathTest, AddressSanitizerFindsOverflows) {
  EXPECT_DEATH(run(1, write_beyond, 1), "heap-buffer-overflow");
  EXPECT_DEATH(run(1, write_beyond_shared, 1), "use-after-poison");
  EXPECT_DEATH(run(1, read_beyond_local, 4), "stack-buffer-overflow|insufficient space");
}

TEST(EmulatorDeathTest, UndefinedBehaviourIsFound) {
  EXPECT_DEATH(run(1, unaligned_pack, 1), "misaligned");
  EXPECT_DEATH(run(1, overflowing, 2147483600), "overflow");
}

#endif

}  // namespace
}  // namespace roentgen::kernels

#endif

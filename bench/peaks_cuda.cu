// What a GPU can do at most: multiply-adds, tensor cores as mma.sync reaches them, copies.
#include <cuda_bf16.h>
#include <mma.h>
#include <algorithm>

#include "bench/cuda_timer.h"
#include "bench/peaks.h"
#include "kernels/cuda/context.h"
#include "kernels/cuda/runtime.h"
#include "kernels/memory.h"

namespace roentgen::bench {

namespace {

constexpr int chains = 16, block = 256;

__global__ void multiply_add(float* out, float factor, int rounds) {
  float sums[chains] = {};
  for (int i = 0; i < rounds; ++i)
    for (float& sum : sums) sum = sum * factor + 1.0f;
  float total = 0;
  for (const float sum : sums) total += sum;
  if (total == -1.0f) *out = total;  // never: keeps the sums alive
}

__global__ void multiply_tiles(float* out, int rounds) {
#if __CUDA_ARCH__ >= 800
  using namespace nvcuda::wmma;
  fragment<matrix_a, 16, 16, 16, __nv_bfloat16, row_major> a;
  fragment<matrix_b, 16, 16, 16, __nv_bfloat16, col_major> b;
  fragment<accumulator, 16, 16, 16, float> sums[4];
  fill_fragment(a, __float2bfloat16(1.0f));
  fill_fragment(b, __float2bfloat16(1.0f));
  for (auto& sum : sums) fill_fragment(sum, 0.0f);
  for (int i = 0; i < rounds; ++i)
    for (auto& sum : sums) mma_sync(sum, a, b, sum);
  if (sums[0].x[0] + sums[1].x[0] + sums[2].x[0] + sums[3].x[0] == -1.0f) *out = 1;
#endif
}

template <class F>
double best_rate_on(CudaTimer& timer, double work, int tries, F&& launch) {
  double best = 0;
  for (int i = 0; i < tries; ++i) {
    const double seconds = timer.seconds([&] {
      launch();
      kernels::check(cudaGetLastError());
    });
    best = std::max(best, work / seconds);
  }
  return best;
}

}  // namespace

Peaks measure_cuda_peaks(kernels::Cuda device, bool quick) {
  device.context->activate();
  cudaDeviceProp properties;
  kernels::check(cudaGetDeviceProperties(&properties, device.context->ordinal()));
  const int blocks = properties.multiProcessorCount * 8, tries = quick ? 1 : 5;
  const int rounds = quick ? 16 : 1 << 14;
  const auto stream = device.context->stream();
  CudaTimer timer(device);
  const engine::Tensor out({1}, engine::DType::float32, device);

  Peaks peaks;
  const double threads = static_cast<double>(blocks) * block;
  peaks.float32 = best_rate_on(timer, threads * rounds * chains * 2, tries, [&] {
    multiply_add<<<blocks, block, 0, stream>>>(out.data<float>(), 0.999f, rounds);
  });
  if (properties.major >= 8) {
    peaks.bfloat16 = best_rate_on(timer, threads / 32 * rounds * 4 * (2.0 * 16 * 16 * 16), tries, [&] {
      multiply_tiles<<<blocks, block, 0, stream>>>(out.data<float>(), rounds);
    });
  }
  // What leaves the L2 behind: the timer flushes it before each run in any case.
  const std::int64_t bytes = quick ? 1 << 20 : 1 << 30;
  const engine::Tensor from = engine::Tensor::zeros({bytes}, engine::DType::uint8, device);
  const engine::Tensor to({bytes}, engine::DType::uint8, device);
  const double rate = best_rate_on(timer, 2.0 * static_cast<double>(bytes), tries,
                                   [&] { kernels::copy(device, from.raw(), to.raw(), from.bytes()); });
  peaks.bandwidth.push_back({2.0 * static_cast<double>(bytes), rate});
  return peaks;
}

}  // namespace roentgen::bench

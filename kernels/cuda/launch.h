// What every .cu file includes: the CUDA language or its emulation, the launch of kernels, shared memory.
//
// Rules for kernels, which keep them checkable where there is no GPU: every thread reaches every barrier;
// full warps and masks; packs only where the launcher has checked alignment, always with a tail; 16-bit types
// are storage; no float atomics, no waiting for other blocks; 64-bit offsets.
#pragma once

#if ROENTGEN_CUDA_EMULATED
#include "kernels/emulator/simt.h"
#endif

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/context.h"
#include "kernels/cuda/runtime.h"
#include "kernels/dtype.h"

namespace roentgen::kernels {

// Shared memory of the block, one object for each type: a kernel's own struct. Not initialised.
template <class T>
__device__ __forceinline__ T& shared() {
#if ROENTGEN_CUDA_EMULATED
  static constinit char tag = 0;
  return *static_cast<T*>(emulator::shared_memory(&tag, sizeof(T), alignof(T)));
#else
  __shared__ alignas(T) unsigned char memory[sizeof(T)];
  return *reinterpret_cast<T*>(memory);
#endif
}

// Runs kernel(arguments...) on blocks x threads.
template <class... P, class... A>
void launch(Cuda device, void (*kernel)(P...), dim3 blocks, dim3 threads, A&&... arguments) {
  static_assert(sizeof...(P) == sizeof...(A), "launch: wrong number of kernel arguments");
  device.context->activate();
#if ROENTGEN_CUDA_EMULATED
  struct Call {
    void (*kernel)(P...);
    std::tuple<std::remove_cv_t<P>...> arguments;
  } call{kernel, {static_cast<P>(arguments)...}};
  emulator::run_grid(
      [](void* p) {
        auto& [k, a] = *static_cast<Call*>(p);
        std::apply(k, a);
      },
      &call, {blocks.x, blocks.y, blocks.z}, {threads.x, threads.y, threads.z});
#else
  // clang-format off
  kernel<<<blocks, threads, 0, device.context->stream()>>>(static_cast<P>(arguments)...);
  // clang-format on
  check(cudaGetLastError());
#endif
}

constexpr std::int64_t divide_up(std::int64_t n, std::int64_t by) {
  return (n + by - 1) / by;
}

// Threads of a block, and blocks of a grid whose threads stride over n items.
inline constexpr int block_threads = 256;
inline unsigned blocks_for(std::int64_t n) {
  return static_cast<unsigned>(std::clamp<std::int64_t>(divide_up(n, block_threads), 1, 2048));
}
// In a kernel: the number of this thread in its grid, and the number of all.
__device__ __forceinline__ std::int64_t thread_number() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ std::int64_t thread_count() {
  return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

}  // namespace roentgen::kernels

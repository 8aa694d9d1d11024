// The part of the CUDA language that kernels/cuda uses, for an ordinary compiler. Its names are CUDA's, in
// the global namespace and as macros where CUDA has keywords; only .cu files include this, through
// kernels/cuda/launch.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>
#include <utility>

#include "kernels/emulator/scheduler.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
// A thread_local gets no redzone and a static cannot be poisoned for each block: use shared<T>().
#define __shared__ static_assert(false, "write shared<T>() of kernels/cuda/launch.h");

using roentgen::emulator::blockDim;
using roentgen::emulator::blockIdx;
using roentgen::emulator::gridDim;
using roentgen::emulator::Site;
using roentgen::emulator::threadIdx;

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};
inline void __syncthreads(Site site = Site::current()) {
  roentgen::emulator::block_barrier(site);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu, Site site = Site::current()) {
  roentgen::emulator::warp_operation(roentgen::emulator::WarpOp::sync, mask, 0, 0, 32, site);
}

namespace roentgen::emulator {
template <class T>
T shuffled(WarpOp op, unsigned mask, T value, int argument, int width, Site site) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = warp_operation(op, mask, bits, argument, width, site);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
}  // namespace roentgen::emulator

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, Site site = Site::current()) {
  return roentgen::emulator::shuffled(roentgen::emulator::WarpOp::shuffle, mask, value, lane, width, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, int by, int width = 32, Site site = Site::current()) {
  return roentgen::emulator::shuffled(roentgen::emulator::WarpOp::shuffle_down, mask, value, by, width, site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int by, int width = 32, Site site = Site::current()) {
  return roentgen::emulator::shuffled(roentgen::emulator::WarpOp::shuffle_xor, mask, value, by, width, site);
}

inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<std::uint64_t>(a) * b) >> 32);
}
inline void sincospif(float x, float* sine, float* cosine) {
  const double angle = 3.14159265358979323846 * static_cast<double>(x);
  *sine = static_cast<float>(std::sin(angle));
  *cosine = static_cast<float>(std::cos(angle));
}
inline unsigned min(unsigned a, unsigned b) {
  return b < a ? b : a;
}
inline int min(int a, int b) {
  return b < a ? b : a;
}
inline float __uint_as_float(unsigned bits) {
  return std::bit_cast<float>(bits);
}
inline unsigned __float_as_uint(float value) {
  return std::bit_cast<unsigned>(value);
}

// Numbers in kernels: conversion of storage types, packs for wide loads, division by constants of a launch.
#pragma once

#include <cstdint>

#include "kernels/cuda/launch.h"
#include "kernels/dtype.h"

#if !ROENTGEN_CUDA_EMULATED
#include <cuda_bf16.h>
#endif

namespace roentgen::kernels {

__device__ __forceinline__ float widen(float value) {
  return value;
}
__device__ __forceinline__ float widen(bfloat16 value) {
  return __uint_as_float(static_cast<unsigned>(value.bits) << 16);
}
__device__ __forceinline__ float widen(std::uint8_t value) {
  return static_cast<float>(value);
}

template <class T>
__device__ __forceinline__ T narrow(float value) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return value;
  } else {
#if ROENTGEN_CUDA_EMULATED
    return bfloat16(value);
#else
    bfloat16 result;
    result.bits = __bfloat16_as_ushort(__float2bfloat16_rn(value));
    return result;
#endif
  }
}

// `width` values that move as one. Only where `aligned` has said so.
template <class T, int width>
struct alignas(sizeof(T) * width) Pack {
  T at[width];
};
template <class T, int width>
__device__ __forceinline__ Pack<T, width> load_pack(const T* x) {
  return *reinterpret_cast<const Pack<T, width>*>(x);
}
template <class T, int width>
__device__ __forceinline__ void store_pack(T* y, const Pack<T, width>& pack) {
  *reinterpret_cast<Pack<T, width>*>(y) = pack;
}
// Whether packs of this width may be used on all of these pointers.
template <int width, class... T>
bool aligned(const T*... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(pointers) % (sizeof(T) * width) == 0) && ...);
}

// Division by a number that is the same for a whole launch: n / d = (n * m >> 32 + n) >> s for n < 2^31
// (Granlund and Montgomery, "Division by invariant integers using multiplication", PLDI 1994).
struct Divisor {
  std::uint32_t divisor = 1, multiplier = 0, shift = 0;

  Divisor() = default;
  // 0, the extent of an axis that nobody will index, counts as 1.
  explicit Divisor(std::int64_t d) : divisor(static_cast<std::uint32_t>(std::max<std::int64_t>(d, 1))) {
    while ((std::uint64_t{1} << shift) < divisor) ++shift;
    multiplier = static_cast<std::uint32_t>(
        (std::uint64_t{1} << 32) * ((std::uint64_t{1} << shift) - divisor) / divisor + 1);
  }
  __device__ __forceinline__ std::uint32_t quotient(std::uint32_t n) const {
    return (__umulhi(n, multiplier) + n) >> shift;
  }
  // Leaves the quotient in n, returns the remainder.
  __device__ __forceinline__ std::uint32_t split(std::uint32_t& n) const {
    const std::uint32_t q = quotient(n), r = n - q * divisor;
    n = q;
    return r;
  }
};

inline constexpr std::int64_t most_items = 0x7FFFFFFF;  // that a Divisor can divide

}  // namespace roentgen::kernels

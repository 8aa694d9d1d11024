// The widest vectors of float that the compiler was told it may use. GCC's vector extensions, which clang
// shares: arithmetic on them is written with the usual operators.
#pragma once

#include <cstdint>

#include "kernels/dtype.h"

namespace roentgen::kernels {

#if defined(__AVX512F__)
inline constexpr int lanes = 16, vector_registers = 32;
#elif defined(__AVX__)
inline constexpr int lanes = 8, vector_registers = 16;
#else
inline constexpr int lanes = 4, vector_registers = 16;
#endif

// May lie at any address of a float. (clang overlooks `aligned` where it is written behind the type.)
using Vec [[gnu::vector_size(lanes * sizeof(float)), gnu::aligned(sizeof(float)), gnu::may_alias]] = float;

inline Vec load(const float* p) {
  return *reinterpret_cast<const Vec*>(p);
}
inline Vec load(const bfloat16* p) {
  using Halves [[gnu::vector_size(lanes * 2), gnu::aligned(2), gnu::may_alias]] = std::uint16_t;
  using Words [[gnu::vector_size(lanes * 4)]] = std::uint32_t;
  return reinterpret_cast<Vec>(__builtin_convertvector(*reinterpret_cast<const Halves*>(p), Words) << 16);
}
inline void store(float* p, Vec v) {
  *reinterpret_cast<Vec*>(p) = v;
}

inline std::int64_t round_up(std::int64_t n, std::int64_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}

}  // namespace roentgen::kernels

// Element types. float64 exists on `reference` alone, bfloat16 is storage: kernels compute in float.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace roentgen::kernels {

struct bfloat16 {
  std::uint16_t bits = 0;

  constexpr bfloat16() = default;
  // Rounds to nearest, ties to even; NaN stays NaN.
  constexpr explicit bfloat16(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    const bool nan = (u & 0x7FFFFFFFu) > 0x7F800000u;
    bits = static_cast<std::uint16_t>(nan ? (u >> 16) | 0x40u : (u + 0x7FFFu + ((u >> 16) & 1u)) >> 16);
  }
  constexpr explicit bfloat16(double value) : bfloat16(static_cast<float>(value)) {}
  constexpr explicit operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
  constexpr explicit operator double() const { return static_cast<double>(static_cast<float>(*this)); }
  constexpr bool operator==(const bfloat16&) const = default;
};

// The type of weights' gradients, biases, statistics and losses beside activations of type T.
template <class T>
using Master = std::conditional_t<std::is_same_v<T, double>, double, float>;

}  // namespace roentgen::kernels

// The mask that a block's forward leaves for its backward: for each pooled output the place of its maximum in
// the window (row * pool + column), or `dead` where ReLU or dropout made it 0. A place takes four bits while
// pool is at most 3, else a byte. So backward reads half a byte where it would otherwise have to read y.
#pragma once

#include "kernels/blocks.h"
#include "kernels/cuda/numeric.h"

namespace roentgen::kernels {

struct MaskLayout {
  bool packed;
  int dead;

  explicit MaskLayout(std::int64_t pool) : packed(pool <= 3), dead(packed ? 15 : 255) {}
  std::int64_t bytes(std::int64_t outputs) const { return packed ? (outputs + 1) / 2 : outputs; }
  __device__ __forceinline__ int read(const std::uint8_t* mask, std::int64_t output) const {
    return packed ? mask[output / 2] >> (output % 2 * 4) & 15 : mask[output];
  }
};

// What dropout multiplies by.
inline float keep_scale(float rate) {
  return static_cast<float>(1.0 / (1.0 - static_cast<double>(rate)));
}

// The gradient that passes to the place of an output's maximum.
template <class T>
struct PooledGradient {
  MaskLayout layout;
  const std::uint8_t* mask;
  const T* dy;
  float scale;

  PooledGradient(const ConvBlockShape& shape, const std::uint8_t* m, const T* gradient)
      : layout(shape.pool), mask(m), dy(gradient), scale(keep_scale(shape.rate)) {}
  // Sets `place`, and returns 0 for a dead output.
  __device__ __forceinline__ float operator()(std::int64_t output, int& place) const {
    place = layout.read(mask, output);
    return place == layout.dead ? 0.0f : widen(dy[output]) * scale;
  }
};

}  // namespace roentgen::kernels

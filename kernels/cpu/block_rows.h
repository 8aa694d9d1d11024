// Rows of a convolution block: ReLU, max pooling and dropout forward, and the way back. The mask is one byte
// per pooled output: the place of the maximum in its window, or `dead`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/blocks.h"
#include "kernels/cpu/simd.h"
#include "kernels/dtype.h"

namespace roentgen::kernels {

inline constexpr std::uint8_t dead = 255;

// y and mask [out_w, k] from the rows of one window, `from` [pool, line floats], pixels `pixel` floats apart.
// The window's loops are unrolled for the pool sizes in use; fixed_pool = 0 serves the others.
template <int fixed_pool, class T>
void pool_row(const ConvBlockShape& s, const float* from, std::int64_t line, std::int64_t pixel,
              const std::uint8_t* __restrict keep, float scale, T* __restrict y,
              std::uint8_t* __restrict mask) {
  const int pool = fixed_pool > 0 ? fixed_pool : static_cast<int>(s.pool);
  const std::int64_t k = s.conv.k;
  for (std::int64_t x = 0; x < s.out_w(); ++x, from += pool * pixel, keep += k, y += k, mask += k)
    for (std::int64_t c = 0; c < k; ++c) {
      float best = from[c];
      std::int32_t place = 0;
      for (int i = 0; i < pool; ++i)
        for (int j = 0; j < pool; ++j) {
          const float value = from[i * line + j * pixel + c];
          const bool better =
              (value > best) | (value != value);  // NaN wins, so that a diverging loss is seen
          best = better ? value : best;
          place = better ? i * pool + j : place;
        }
      const bool live = !(best <= 0) & (keep[c] != 0);
      y[c] = static_cast<T>(live ? best * scale : 0.0f);
      mask[c] = static_cast<std::uint8_t>(live ? place : dead);
    }
}

using MaskBytes [[gnu::vector_size(lanes), gnu::aligned(1), gnu::may_alias]] = std::uint8_t;
using MaskHalves [[gnu::vector_size(2 * lanes)]] = std::int16_t;
using MaskWords [[gnu::vector_size(4 * lanes)]] = std::int32_t;

inline MaskHalves load_mask_halves(const std::uint8_t* mask) {
  return __builtin_convertvector(*reinterpret_cast<const MaskBytes*>(mask), MaskHalves);
}
// In two steps: GCC 12 takes bytes apart one by one to widen them fourfold.
inline MaskWords load_mask_words(const std::uint8_t* mask) {
  return __builtin_convertvector(load_mask_halves(mask), MaskWords);
}

// Where the mask says `place`, scale * dy, else 0: one vector of it, ready for any number of places.
struct SelectFloat {
  MaskWords value, at;
  template <class T>
  SelectFloat(const std::uint8_t* mask, const T* dy, float scale)
      : value(reinterpret_cast<MaskWords>(load(dy) * scale)), at(load_mask_words(mask)) {}
  void write(int place, float* out) const { store(out, reinterpret_cast<Vec>(value & (at == place))); }
};
struct SelectHalf {
  MaskHalves value, at;
  template <class T>
  SelectHalf(const std::uint8_t* mask, const T* dy, float scale) : at(load_mask_halves(mask)) {
    // To nearest, ties to even. A NaN in bfloat16 has its low half empty and stays one.
    const auto bits = reinterpret_cast<Bits>(load(dy) * scale);
    value = reinterpret_cast<MaskHalves>(
        __builtin_convertvector((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16, Halves));
  }
  void write(int place, bfloat16* out) const {
    const MaskHalves chosen = value & (at == static_cast<std::int16_t>(place));
    std::memcpy(&out->bits, &chosen, sizeof(chosen));
  }

 private:
  using Bits [[gnu::vector_size(4 * lanes)]] = std::uint32_t;
  using Halves [[gnu::vector_size(2 * lanes)]] = std::uint16_t;
};

// out [columns, k]: the gradient of one row of the convolution's outputs, columns from `col` on, all inside
// the pooled windows. mask and dy [out_w, k] belong to the row's windows, of which it is row `window_row`.
template <class T, class E>
void unpool_row(std::int64_t pool, std::int64_t k, const std::uint8_t* mask, const T* dy,
                std::int64_t window_row, float scale, std::int64_t col, std::int64_t columns, E* out) {
  using Select = std::conditional_t<std::is_same_v<E, float>, SelectFloat, SelectHalf>;
  for (std::int64_t j = 0; j < columns;) {
    const std::int64_t window = (col + j) / pool, first = (col + j) % pool;
    const std::int64_t count = std::min(pool - first, columns - j);  // of this window's columns
    const int place = static_cast<int>(window_row * pool + first);
    const std::uint8_t* m = mask + window * k;
    const T* d = dy + window * k;
    std::int64_t c = 0;
    for (; c + lanes <= k; c += lanes) {
      const Select select(m + c, d + c, scale);
      for (int i = 0; i < static_cast<int>(count); ++i) select.write(place + i, out + (j + i) * k + c);
    }
    for (; c < k; ++c)
      for (std::int64_t i = 0; i < count; ++i)
        out[(j + i) * k + c] = static_cast<E>(m[c] == place + i ? scale * static_cast<float>(d[c]) : 0.0f);
    j += count;
  }
}

// sums [k] += scale * dy over pixels of mask and dy [pixels, k], the dead left out.
template <class T>
void add_live(std::int64_t pixels, std::int64_t k, const std::uint8_t* mask, const T* dy, float scale,
              float* sums) {
  std::int64_t c = 0;
  for (; c + lanes <= k; c += lanes) {
    Vec sum{};
    for (std::int64_t i = 0; i < pixels; ++i) {
      const MaskWords at = load_mask_words(mask + i * k + c);
      sum += reinterpret_cast<Vec>(reinterpret_cast<MaskWords>(load(dy + i * k + c)) & (at != dead));
    }
    store(sums + c, load(sums + c) + scale * sum);
  }
  for (; c < k; ++c) {
    float sum = 0;
    for (std::int64_t i = 0; i < pixels; ++i)
      sum += mask[i * k + c] != dead ? static_cast<float>(dy[i * k + c]) : 0.0f;
    sums[c] += scale * sum;
  }
}

}  // namespace roentgen::kernels

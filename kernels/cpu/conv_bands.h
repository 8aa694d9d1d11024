// Convolution as tasks of (image, band of rows): a band's full-size outputs live in a thread's scratch, so
// they stay in its L2 cache and are never written to memory. Bands and the order of sums follow from the
// shape alone, so results do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/conv2d.h"
#include "kernels/cpu/conv_engine.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/scratch.h"
#include "kernels/cpu/tile.h"

namespace roentgen::kernels {

inline constexpr std::int64_t band_bytes = 512 << 10;  // of outputs in a band: a quarter of a usual L2
inline constexpr std::int64_t partial_bytes = 16ll
                                              << 20;  // of all partial weight gradients, where not too few
inline constexpr std::int64_t min_groups = 8, max_groups = 64;

// Rows [0, rows) of an image in bands of a multiple of `multiple` rows; `row_floats` of output to a row.
struct Bands {
  std::int64_t multiple;
  Split split;
  Bands(std::int64_t rows, std::int64_t multiple_of, std::int64_t row_floats)
      : multiple(multiple_of),
        split(rows / multiple,
              std::max<std::int64_t>(1, band_bytes / 4 / std::max<std::int64_t>(1, row_floats * multiple))) {}
  std::int64_t begin(std::int64_t band) const { return split.begin(band) * multiple; }
  std::int64_t end(std::int64_t band) const { return split.begin(band + 1) * multiple; }
  std::int64_t usual() const { return split.pieces ? end(0) : 0; }
};

template <class A, class B>
void convert(const A* from, B* to, std::int64_t n) {
  if constexpr (std::is_same_v<A, B>)
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(A));
  else
    for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<B>(static_cast<float>(from[i]));
}

// to [pixels, c] from pixels that lie from_pixel elements apart.
template <class T>
void copy_pixels(const float* from, std::int64_t from_pixel, std::int64_t pixels, std::int64_t c, T* to) {
  if (from_pixel == c)
    convert(from, to, pixels * c);
  else
    for (std::int64_t i = 0; i < pixels; ++i) convert(from + i * from_pixel, to + i * c, c);
}

// out [rows, cols, c] = that part of image [h, w, c], zeros outside it.
template <class T, class E>
void window(const T* image, std::int64_t h, std::int64_t w, std::int64_t c, std::int64_t row,
            std::int64_t rows, std::int64_t col, std::int64_t cols, E* out) {
  const std::int64_t from = std::clamp<std::int64_t>(-col, 0, cols), to = std::clamp(w - col, from, cols);
  for (std::int64_t i = row; i < row + rows; ++i, out += cols * c) {
    if (i < 0 || i >= h || from == to) {
      std::fill_n(out, cols * c, E{});
      continue;
    }
    std::fill_n(out, from * c, E{});
    convert(image + (i * w + col + from) * c, out + from * c, (to - from) * c);
    std::fill_n(out + to * c, (cols - to) * c, E{});
  }
}

// Elements that an engine may read past its input, where it overreads().
template <class E>
inline constexpr std::int64_t overread = 64 / sizeof(E);

// A band of the padded input, in place where it can be.
template <class T, class E>
const E* input_band(const Conv2dShape& s, const T* x, std::int64_t image, std::int64_t row, std::int64_t rows,
                    bool overreads) {
  const std::int64_t size_of_image = s.h * s.w * s.c;
  const T* from = x + image * size_of_image;
  const std::int64_t first = row * s.stride_h - s.pad_h;
  const std::int64_t height = (rows - 1) * s.stride_h + s.dilation_h * (s.r - 1) + 1;
  if constexpr (std::is_same_v<T, E>) {
    // Small images end less than an overread before the batch does, not the last one alone.
    const std::int64_t end = image * size_of_image + (first + height) * s.w * s.c;
    const bool last = end + overread<E> > s.n * size_of_image;
    if (s.pad_h == 0 && s.pad_w == 0 && !(overreads && last)) return from + first * s.w * s.c;
  }
  const std::int64_t width = s.w + 2 * s.pad_w, size = height * width * s.c;
  E* out = scratch<E>(Slot::input, size + overread<E>);
  window(from, s.h, s.w, s.c, first, height, -s.pad_w, width, out);
  std::fill_n(out + size, overread<E>, E{});
  return out;
}

inline Correlation correlation(const Conv2dShape& s) {
  return {s.w + 2 * s.pad_w, s.c,        s.out_w(),    s.k,         s.r, s.s,
          s.stride_h,        s.stride_w, s.dilation_h, s.dilation_w};
}

// The convolution that gives dx from the gradient of y, padded (and spread, where the stride is not 1) so
// that rows and columns line up: channels swapped, filters turned round.
inline Correlation transposed(const Conv2dShape& s) {
  return {s.w + s.dilation_w * (s.s - 1), s.k, s.w, s.c, s.r, s.s, 1, 1, s.dilation_h, s.dilation_w};
}
template <class T, class E>
void transpose_filters(const Conv2dShape& s, const T* filters, E* out) {
  const std::int64_t taps = s.r * s.s;
  parallel_for(s.c, [&](std::int64_t c) {
    for (std::int64_t tap = 0; tap < taps; ++tap)
      for (std::int64_t k = 0; k < s.k; ++k)
        out[(c * taps + taps - 1 - tap) * s.k + k] = static_cast<E>(filters[(k * taps + tap) * s.c + c]);
  });
}

// Packed filters and padded bias of a forward engine, for one call.
template <class E>
struct PreparedFilters {
  Workspace<E> packed;
  Workspace<float> bias;
  PreparedFilters(const ForwardEngine<E>& engine, const E* filters, std::int64_t k, const float* from)
      : packed(engine.packed_size()), bias(engine.out_pixel()) {
    engine.pack(filters, packed.data());
    std::fill_n(bias.data(), engine.out_pixel(), 0.0f);
    if (from) std::copy_n(from, k, bias.data());
  }
};

// Runs f<E>() with E = T, or with float where that returns false: no engine computes T.
template <class T, class F>
void with_engine_type(F&& f) {
  if (!f(T{})) f(float{});
}

// finish(image, row, rows, out, pixel) for each band: out [rows, out_w, pixel] holds the convolution's rows
// with bias. Bands cover rows [0, used_rows) in multiples of `multiple` rows.
template <class T, class Finish>
void convolve(const Conv2dShape& s, std::int64_t used_rows, std::int64_t multiple, const T* x,
              const T* filters, const float* bias, Finish&& finish) {
  const Correlation shape = correlation(s);
  const Bands bands(used_rows, multiple, shape.out_w * s.k);
  if (s.n == 0 || bands.split.pieces == 0) return;
  with_engine_type<T>([&](auto type) {
    using E = decltype(type);
    const auto engine = make_forward_engine<E>(shape, bands.usual());
    if (!engine) return false;
    Workspace<E> converted(shape.filter_size());
    convert(filters, converted.data(), shape.filter_size());
    const PreparedFilters<E> prepared(*engine, converted.data(), s.k, bias);
    const std::int64_t pixel = engine->out_pixel();
    parallel_for(s.n * bands.split.pieces, [&](std::int64_t task) {
      const std::int64_t image = task / bands.split.pieces, band = task % bands.split.pieces;
      const std::int64_t row = bands.begin(band), rows = bands.end(band) - row;
      const E* src = input_band<T, E>(s, x, image, row, rows, engine->overreads());
      float* out = scratch<float>(Slot::output, rows * shape.out_w * pixel);
      engine->run(rows, src, prepared.packed.data(), prepared.bias.data(), out);
      finish(image, row, rows, out, pixel);
    });
    return true;
  });
}

}  // namespace roentgen::kernels

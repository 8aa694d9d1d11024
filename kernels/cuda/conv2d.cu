// Convolution as a matrix product that gathers its operands from the tensors as they lie (implicit GEMM).
// Pixels are rows; taps (r, s, channel) are what is summed over, or for filters' gradients the columns.
#include "kernels/conv2d.h"

#include "kernels/cuda/columns.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/own.h"

namespace roentgen::kernels::own {
namespace {

constexpr int far_away = -(1 << 30);  // a coordinate outside of every image

struct Geometry {
  int h, w, c, k, r, s, out_h, out_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;

  explicit Geometry(const Conv2dShape& shape)
      : h(static_cast<int>(shape.h)),
        w(static_cast<int>(shape.w)),
        c(static_cast<int>(shape.c)),
        k(static_cast<int>(shape.k)),
        r(static_cast<int>(shape.r)),
        s(static_cast<int>(shape.s)),
        out_h(static_cast<int>(shape.out_h())),
        out_w(static_cast<int>(shape.out_w())),
        stride_h(static_cast<int>(shape.stride_h)),
        stride_w(static_cast<int>(shape.stride_w)),
        pad_h(static_cast<int>(shape.pad_h)),
        pad_w(static_cast<int>(shape.pad_w)),
        dilation_h(static_cast<int>(shape.dilation_h)),
        dilation_w(static_cast<int>(shape.dilation_w)) {}
};

struct Pixel {
  int y, x;
  std::int64_t image;  // first pixel of its image
};
struct Tap {
  int y, x;
  int channel;
};

// The input under each output pixel and tap, zero where the tap falls outside the image.
template <class T, bool pixels_are_lines>
struct Patches {
  const T* x;
  Geometry g;
  std::uint32_t pixels, taps;
  Divisor columns, rows, channels, filter_columns;
  bool along_k = pixels_are_lines;  // channels lie side by side

  Patches(const Conv2dShape& shape, const T* data)
      : x(data),
        g(shape),
        pixels(checked_items("conv2d", shape.n * shape.out_h() * shape.out_w())),
        taps(checked_items("conv2d", shape.r * shape.s * shape.c)),
        columns(shape.out_w()),
        rows(shape.out_h()),
        channels(shape.c),
        filter_columns(shape.s) {}

  using Line = std::conditional_t<pixels_are_lines, Pixel, Tap>;
  using Depth = std::conditional_t<pixels_are_lines, Tap, Pixel>;
  __device__ __forceinline__ Pixel pixel(std::uint32_t i) const {
    if (i >= pixels) return {far_away, 0, 0};
    const int ox = static_cast<int>(columns.split(i)), oy = static_cast<int>(rows.split(i));
    return {oy * g.stride_h - g.pad_h, ox * g.stride_w - g.pad_w, static_cast<std::int64_t>(i) * g.h * g.w};
  }
  __device__ __forceinline__ Tap tap(std::uint32_t i) const {
    if (i >= taps) return {far_away, 0, 0};
    const int channel = static_cast<int>(channels.split(i)), s = static_cast<int>(filter_columns.split(i));
    return {static_cast<int>(i) * g.dilation_h, s * g.dilation_w, channel};
  }
  __device__ __forceinline__ Line line(std::uint32_t i) const {
    if constexpr (pixels_are_lines)
      return pixel(i);
    else
      return tap(i);
  }
  __device__ __forceinline__ Depth depth(std::uint32_t i) const {
    if constexpr (pixels_are_lines)
      return tap(i);
    else
      return pixel(i);
  }
  __device__ __forceinline__ float value(const Pixel& p, const Tap& t) const {
    const int iy = p.y + t.y, ix = p.x + t.x;
    if (iy < 0 || iy >= g.h || ix < 0 || ix >= g.w) return 0;
    return widen(x[(p.image + static_cast<std::int64_t>(iy) * g.w + ix) * g.c + t.channel]);
  }
  __device__ __forceinline__ float at(const Line& line, const Depth& depth) const {
    if constexpr (pixels_are_lines)
      return value(line, depth);
    else
      return value(depth, line);
  }
  __device__ __forceinline__ Patches for_batch(std::uint32_t) const { return *this; }
};

// For each input pixel and (r, s, filter) the output gradient that the pixel had a part in, or zero.
template <class T>
struct GradientPatches {
  const T* dy;
  Geometry g;
  std::uint32_t pixels, taps;
  Divisor columns, rows, filters, filter_columns;
  bool along_k = true;

  GradientPatches(const Conv2dShape& shape, const T* data)
      : dy(data),
        g(shape),
        pixels(checked_items("conv2d", shape.n * shape.h * shape.w)),
        taps(checked_items("conv2d", shape.r * shape.s * shape.k)),
        columns(shape.w),
        rows(shape.h),
        filters(shape.k),
        filter_columns(shape.s) {}

  using Line = Pixel;
  using Depth = Tap;
  __device__ __forceinline__ Pixel line(std::uint32_t i) const {
    if (i >= pixels) return {far_away, 0, 0};
    const int ix = static_cast<int>(columns.split(i)), iy = static_cast<int>(rows.split(i));
    return {iy + g.pad_h, ix + g.pad_w, static_cast<std::int64_t>(i) * g.out_h * g.out_w};
  }
  __device__ __forceinline__ Tap depth(std::uint32_t i) const {
    if (i >= taps) return {-far_away, 0, 0};
    const int filter = static_cast<int>(filters.split(i)), s = static_cast<int>(filter_columns.split(i));
    return {static_cast<int>(i) * g.dilation_h, s * g.dilation_w, filter};
  }
  __device__ __forceinline__ float at(const Pixel& p, const Tap& t) const {
    const int y = p.y - t.y, x = p.x - t.x;
    if (y < 0 || x < 0 || y % g.stride_h != 0 || x % g.stride_w != 0) return 0;
    const int oy = y / g.stride_h, ox = x / g.stride_w;
    if (oy >= g.out_h || ox >= g.out_w) return 0;
    return widen(dy[(p.image + static_cast<std::int64_t>(oy) * g.out_w + ox) * g.k + t.channel]);
  }
  __device__ __forceinline__ GradientPatches for_batch(std::uint32_t) const { return *this; }
};

// Filters [k, r, s, c] as columns c of (r, s, k).
template <class T>
struct TurnedFilters {
  const T* filters;
  std::uint32_t channels, taps;
  std::int64_t filter_size;
  Divisor filter_count;
  bool along_k = false;

  TurnedFilters(const Conv2dShape& shape, const T* data)
      : filters(data),
        channels(checked_items("conv2d", shape.c)),
        taps(checked_items("conv2d", shape.r * shape.s * shape.k)),
        filter_size(shape.r * shape.s * shape.c),
        filter_count(shape.k) {}

  using Line = std::int64_t;
  using Depth = std::int64_t;
  __device__ __forceinline__ Line line(std::uint32_t i) const { return i < channels ? std::int64_t{i} : -1; }
  __device__ __forceinline__ Depth depth(std::uint32_t i) const {
    if (i >= taps) return -1;
    const std::uint32_t filter = filter_count.split(i);
    return filter * filter_size + static_cast<std::int64_t>(i) * channels;
  }
  __device__ __forceinline__ float at(Line line, Depth depth) const {
    return line < 0 || depth < 0 ? 0.0f : widen(filters[line + depth]);
  }
  __device__ __forceinline__ TurnedFilters for_batch(std::uint32_t) const { return *this; }
};

}  // namespace

template <class T>
void conv2d_forward(Cuda device, const Conv2dShape& s, const T* x, const T* filters, const Master<T>* bias,
                    T* y) {
  const std::int64_t pixels = s.n * s.out_h() * s.out_w(), taps = s.r * s.s * s.c;
  gemm(device, 1, pixels, s.k, taps, Patches<T, true>(s, x), matrix(filters, s.k, taps, false),
       store_rows(y, bias, pixels, s.k));
}

template <class T>
void conv2d_backward_data(Cuda device, const Conv2dShape& s, const T* dy, const T* filters, T* dx) {
  const std::int64_t pixels = s.n * s.h * s.w;
  gemm(device, 1, pixels, s.c, s.r * s.s * s.k, GradientPatches<T>(s, dy), TurnedFilters<T>(s, filters),
       store_rows(dx, nullptr, pixels, s.c));
}

template <class T>
void conv2d_backward_weights(Cuda device, const Conv2dShape& s, const T* x, const T* dy, Master<T>* dfilters,
                             Master<T>* dbias) {
  const std::int64_t pixels = s.n * s.out_h() * s.out_w(), taps = s.r * s.s * s.c;
  gemm(device, 1, s.k, taps, pixels, matrix(dy, s.k, pixels, true), Patches<T, false>(s, x),
       store_rows(dfilters, nullptr, s.k, taps));
  if (dbias) sum_columns(device, "conv2d", dy, pixels, s.k, dbias);
}

#define ROENTGEN_INSTANTIATE(T)                                                                     \
  template void conv2d_forward(Cuda, const Conv2dShape&, const T*, const T*, const Master<T>*, T*); \
  template void conv2d_backward_data(Cuda, const Conv2dShape&, const T*, const T*, T*);             \
  template void conv2d_backward_weights(Cuda, const Conv2dShape&, const T*, const T*, Master<T>*, Master<T>*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels::own

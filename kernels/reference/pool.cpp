#include "kernels/pool.h"

#include <cmath>
#include <vector>

namespace roentgen::kernels {
namespace {

// Calls f(pixel) for the pixels iy * w + ix of output (oy, ox)'s window that lie inside the image, row-major.
template <class F>
void for_each_pixel(const Pool2dShape& shape, std::int64_t oy, std::int64_t ox, F f) {
  for (std::int64_t r = 0; r < shape.kernel_h; ++r)
    for (std::int64_t s = 0; s < shape.kernel_w; ++s) {
      const std::int64_t iy = oy * shape.stride_h - shape.pad_h + r * shape.dilation_h;
      const std::int64_t ix = ox * shape.stride_w - shape.pad_w + s * shape.dilation_w;
      if (iy >= 0 && iy < shape.h && ix >= 0 && ix < shape.w) f(iy * shape.w + ix);
    }
}

// Calls f(image, oy, ox, channel, out) for each output, `out` being its number.
template <class F>
void for_each_output(const Pool2dShape& shape, F f) {
  std::int64_t out = 0;
  for (std::int64_t image = 0; image < shape.n; ++image)
    for (std::int64_t oy = 0; oy < shape.out_h(); ++oy)
      for (std::int64_t ox = 0; ox < shape.out_w(); ++ox)
        for (std::int64_t channel = 0; channel < shape.c; ++channel) f(image, oy, ox, channel, out++);
}

std::size_t input_size(const Pool2dShape& shape) {
  return static_cast<std::size_t>(shape.n * shape.h * shape.w * shape.c);
}

template <class T>
void write(const std::vector<double>& from, T* to) {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] = static_cast<T>(from[i]);
}

}  // namespace

template <class T>
void max_pool_forward(Reference, const Pool2dShape& shape, const T* x, T* y, std::int32_t* argmax) {
  for_each_output(shape, [&](std::int64_t image, std::int64_t oy, std::int64_t ox, std::int64_t channel,
                             std::int64_t out) {
    double best = 0;
    std::int64_t where = -1;
    for_each_pixel(shape, oy, ox, [&](std::int64_t pixel) {
      const double v = static_cast<double>(x[(image * shape.h * shape.w + pixel) * shape.c + channel]);
      if (where < 0 || v > best || (std::isnan(v) && !std::isnan(best))) {
        best = v;
        where = pixel;
      }
    });
    y[out] = static_cast<T>(best);
    argmax[out] = static_cast<std::int32_t>(where);
  });
}

template <class T>
void max_pool_backward(Reference, const Pool2dShape& shape, const T* dy, const std::int32_t* argmax, T* dx) {
  std::vector<double> gradient(input_size(shape));
  for_each_output(
      shape, [&](std::int64_t image, std::int64_t, std::int64_t, std::int64_t channel, std::int64_t out) {
        if (argmax[out] >= 0)
          gradient[static_cast<std::size_t>((image * shape.h * shape.w + argmax[out]) * shape.c + channel)] +=
              static_cast<double>(dy[out]);
      });
  write(gradient, dx);
}

template <class T>
void avg_pool_forward(Reference, const Pool2dShape& shape, const T* x, T* y) {
  for_each_output(shape, [&](std::int64_t image, std::int64_t oy, std::int64_t ox, std::int64_t channel,
                             std::int64_t out) {
    double total = 0;
    std::int64_t count = 0;
    for_each_pixel(shape, oy, ox, [&](std::int64_t pixel) {
      total += static_cast<double>(x[(image * shape.h * shape.w + pixel) * shape.c + channel]);
      ++count;
    });
    y[out] = static_cast<T>(count ? total / static_cast<double>(count) : 0.0);
  });
}

template <class T>
void avg_pool_backward(Reference, const Pool2dShape& shape, const T* dy, T* dx) {
  std::vector<double> gradient(input_size(shape));
  for_each_output(shape, [&](std::int64_t image, std::int64_t oy, std::int64_t ox, std::int64_t channel,
                             std::int64_t out) {
    std::int64_t count = 0;
    for_each_pixel(shape, oy, ox, [&](std::int64_t) { ++count; });
    for_each_pixel(shape, oy, ox, [&](std::int64_t pixel) {
      gradient[static_cast<std::size_t>((image * shape.h * shape.w + pixel) * shape.c + channel)] +=
          static_cast<double>(dy[out]) / static_cast<double>(count);
    });
  });
  write(gradient, dx);
}

#define ROENTGEN_INSTANTIATE(T)                                                                      \
  template void max_pool_forward(Reference, const Pool2dShape&, const T*, T*, std::int32_t*);        \
  template void max_pool_backward(Reference, const Pool2dShape&, const T*, const std::int32_t*, T*); \
  template void avg_pool_forward(Reference, const Pool2dShape&, const T*, T*);                       \
  template void avg_pool_backward(Reference, const Pool2dShape&, const T*, T*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(double)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

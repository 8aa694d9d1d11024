// Direct convolution. The inner loops run over channels, which lie side by side, and gather in double.
#include "kernels/conv2d.h"

#include <vector>

namespace roentgen::kernels {
namespace {

using Doubles = std::vector<double>;

// Calls f(iy, ix, tap) for the taps (r, s) of output pixel (oy, ox) that fall inside the image; tap = r * S +
// s.
template <class F>
void for_each_tap(const Conv2dShape& shape, std::int64_t oy, std::int64_t ox, F f) {
  for (std::int64_t r = 0; r < shape.r; ++r)
    for (std::int64_t s = 0; s < shape.s; ++s) {
      const std::int64_t iy = oy * shape.stride_h - shape.pad_h + r * shape.dilation_h;
      const std::int64_t ix = ox * shape.stride_w - shape.pad_w + s * shape.dilation_w;
      if (iy >= 0 && iy < shape.h && ix >= 0 && ix < shape.w) f(iy, ix, r * shape.s + s);
    }
}

}  // namespace

template <class T>
void conv2d_forward(Reference, const Conv2dShape& shape, const T* x, const T* filters, const Master<T>* bias,
                    T* y) {
  const std::int64_t taps = shape.r * shape.s, c = shape.c, k = shape.k;
  Doubles turned(static_cast<std::size_t>(taps * c * k));  // filters as [r, s, c, k]
  for (std::int64_t f = 0; f < k; ++f)
    for (std::int64_t i = 0; i < taps * c; ++i)
      turned[static_cast<std::size_t>(i * k + f)] = static_cast<double>(filters[f * taps * c + i]);

  Doubles pixel(static_cast<std::size_t>(k));
  for (std::int64_t image = 0; image < shape.n; ++image)
    for (std::int64_t oy = 0; oy < shape.out_h(); ++oy)
      for (std::int64_t ox = 0; ox < shape.out_w(); ++ox) {
        for (std::int64_t f = 0; f < k; ++f)
          pixel[static_cast<std::size_t>(f)] = bias ? static_cast<double>(bias[f]) : 0;
        for_each_tap(shape, oy, ox, [&](std::int64_t iy, std::int64_t ix, std::int64_t tap) {
          const T* in = x + ((image * shape.h + iy) * shape.w + ix) * c;
          for (std::int64_t i = 0; i < c; ++i) {
            const double value = static_cast<double>(in[i]);
            const double* weights = turned.data() + (tap * c + i) * k;
            for (std::int64_t f = 0; f < k; ++f) pixel[static_cast<std::size_t>(f)] += value * weights[f];
          }
        });
        T* out = y + ((image * shape.out_h() + oy) * shape.out_w() + ox) * k;
        for (std::int64_t f = 0; f < k; ++f) out[f] = static_cast<T>(pixel[static_cast<std::size_t>(f)]);
      }
}

template <class T>
void conv2d_backward_data(Reference, const Conv2dShape& shape, const T* dy, const T* filters, T* dx) {
  const std::int64_t taps = shape.r * shape.s, c = shape.c, k = shape.k;
  Doubles gradient(static_cast<std::size_t>(shape.h * shape.w * c));  // of one image
  for (std::int64_t image = 0; image < shape.n; ++image) {
    gradient.assign(gradient.size(), 0.0);
    for (std::int64_t oy = 0; oy < shape.out_h(); ++oy)
      for (std::int64_t ox = 0; ox < shape.out_w(); ++ox) {
        const T* d = dy + ((image * shape.out_h() + oy) * shape.out_w() + ox) * k;
        for_each_tap(shape, oy, ox, [&](std::int64_t iy, std::int64_t ix, std::int64_t tap) {
          double* into = gradient.data() + (iy * shape.w + ix) * c;
          for (std::int64_t f = 0; f < k; ++f) {
            const double value = static_cast<double>(d[f]);
            const T* weights = filters + (f * taps + tap) * c;
            for (std::int64_t i = 0; i < c; ++i) into[i] += value * static_cast<double>(weights[i]);
          }
        });
      }
    for (std::size_t i = 0; i < gradient.size(); ++i)
      dx[static_cast<std::size_t>(image) * gradient.size() + i] = static_cast<T>(gradient[i]);
  }
}

template <class T>
void conv2d_backward_weights(Reference, const Conv2dShape& shape, const T* x, const T* dy,
                             Master<T>* dfilters, Master<T>* dbias) {
  const std::int64_t taps = shape.r * shape.s, c = shape.c, k = shape.k;
  Doubles gradient(static_cast<std::size_t>(k * taps * c)), bias_gradient(static_cast<std::size_t>(k));
  for (std::int64_t image = 0; image < shape.n; ++image)
    for (std::int64_t oy = 0; oy < shape.out_h(); ++oy)
      for (std::int64_t ox = 0; ox < shape.out_w(); ++ox) {
        const T* d = dy + ((image * shape.out_h() + oy) * shape.out_w() + ox) * k;
        for (std::int64_t f = 0; f < k; ++f)
          bias_gradient[static_cast<std::size_t>(f)] += static_cast<double>(d[f]);
        for_each_tap(shape, oy, ox, [&](std::int64_t iy, std::int64_t ix, std::int64_t tap) {
          const T* in = x + ((image * shape.h + iy) * shape.w + ix) * c;
          for (std::int64_t f = 0; f < k; ++f) {
            const double value = static_cast<double>(d[f]);
            double* into = gradient.data() + (f * taps + tap) * c;
            for (std::int64_t i = 0; i < c; ++i) into[i] += value * static_cast<double>(in[i]);
          }
        });
      }
  for (std::size_t i = 0; i < gradient.size(); ++i) dfilters[i] = static_cast<Master<T>>(gradient[i]);
  if (dbias)
    for (std::size_t i = 0; i < bias_gradient.size(); ++i)
      dbias[i] = static_cast<Master<T>>(bias_gradient[i]);
}

#define ROENTGEN_INSTANTIATE(T)                                                                          \
  template void conv2d_forward(Reference, const Conv2dShape&, const T*, const T*, const Master<T>*, T*); \
  template void conv2d_backward_data(Reference, const Conv2dShape&, const T*, const T*, T*);             \
  template void conv2d_backward_weights(Reference, const Conv2dShape&, const T*, const T*, Master<T>*,   \
                                        Master<T>*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(double)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

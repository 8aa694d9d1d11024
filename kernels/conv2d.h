// Two-dimensional convolution, NHWC, filters K,R,S,C.
#pragma once

#include <cstdint>

#include "kernels/device.h"
#include "kernels/dtype.h"

namespace roentgen::kernels {

// How many windows of `window` elements, `stride` apart, fit into `extent`; none where one is larger than all
// of it.
constexpr std::int64_t windows(std::int64_t extent, std::int64_t window, std::int64_t stride) {
  return extent < window ? 0 : (extent - window) / stride + 1;
}

// x [n, h, w, c], filters [k, r, s, c], y [n, out_h, out_w, k]. Cross-correlation, zero padding on both
// sides.
struct Conv2dShape {
  std::int64_t n = 0, h = 0, w = 0, c = 0;  // input
  std::int64_t k = 0, r = 0, s = 0;         // filters, their height and width
  std::int64_t stride_h = 1, stride_w = 1;
  std::int64_t pad_h = 0, pad_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;

  std::int64_t out_h() const { return windows(h + 2 * pad_h, dilation_h * (r - 1) + 1, stride_h); }
  std::int64_t out_w() const { return windows(w + 2 * pad_w, dilation_w * (s - 1) + 1, stride_w); }
  bool operator==(const Conv2dShape&) const = default;
};

// bias [k] or null.
template <class T>
void conv2d_forward(Reference, const Conv2dShape& shape, const T* x, const T* filters, const Master<T>* bias,
                    T* y);
template <class T>
void conv2d_forward(Cpu, const Conv2dShape& shape, const T* x, const T* filters, const Master<T>* bias, T* y);
template <class T>
void conv2d_forward(Cuda, const Conv2dShape& shape, const T* x, const T* filters, const Master<T>* bias,
                    T* y);

template <class T>
void conv2d_backward_data(Reference, const Conv2dShape& shape, const T* dy, const T* filters, T* dx);
template <class T>
void conv2d_backward_data(Cpu, const Conv2dShape& shape, const T* dy, const T* filters, T* dx);
template <class T>
void conv2d_backward_data(Cuda, const Conv2dShape& shape, const T* dy, const T* filters, T* dx);

// dfilters [k, r, s, c], dbias [k] or null.
template <class T>
void conv2d_backward_weights(Reference, const Conv2dShape& shape, const T* x, const T* dy,
                             Master<T>* dfilters, Master<T>* dbias);
template <class T>
void conv2d_backward_weights(Cpu, const Conv2dShape& shape, const T* x, const T* dy, Master<T>* dfilters,
                             Master<T>* dbias);
template <class T>
void conv2d_backward_weights(Cuda, const Conv2dShape& shape, const T* x, const T* dy, Master<T>* dfilters,
                             Master<T>* dbias);

}  // namespace roentgen::kernels

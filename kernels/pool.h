// Pooling, NHWC.
#pragma once

#include <cstdint>

#include "kernels/conv2d.h"
#include "kernels/device.h"
#include "kernels/dtype.h"

namespace roentgen::kernels {

// x [n, h, w, c], y [n, out_h, out_w, c]. Padding never wins a maximum and never counts in an average (as in
// Keras' "same").
struct Pool2dShape {
  std::int64_t n = 0, h = 0, w = 0, c = 0;
  std::int64_t kernel_h = 2, kernel_w = 2;
  std::int64_t stride_h = 2, stride_w = 2;
  std::int64_t pad_h = 0, pad_w = 0;
  std::int64_t dilation_h = 1, dilation_w = 1;

  std::int64_t out_h() const { return windows(h + 2 * pad_h, dilation_h * (kernel_h - 1) + 1, stride_h); }
  std::int64_t out_w() const { return windows(w + 2 * pad_w, dilation_w * (kernel_w - 1) + 1, stride_w); }
};

// argmax [n, out_h, out_w, c]: iy * w + ix of the first maximum in row-major order; -1 where a window holds
// padding only (y is then 0). NaN wins.
template <class T>
void max_pool_forward(Reference, const Pool2dShape& shape, const T* x, T* y, std::int32_t* argmax);
template <class T>
void max_pool_forward(Cpu, const Pool2dShape& shape, const T* x, T* y, std::int32_t* argmax);
template <class T>
void max_pool_forward(Cuda, const Pool2dShape& shape, const T* x, T* y, std::int32_t* argmax);

template <class T>
void max_pool_backward(Reference, const Pool2dShape& shape, const T* dy, const std::int32_t* argmax, T* dx);
template <class T>
void max_pool_backward(Cpu, const Pool2dShape& shape, const T* dy, const std::int32_t* argmax, T* dx);
template <class T>
void max_pool_backward(Cuda, const Pool2dShape& shape, const T* dy, const std::int32_t* argmax, T* dx);

template <class T>
void avg_pool_forward(Reference, const Pool2dShape& shape, const T* x, T* y);
template <class T>
void avg_pool_forward(Cpu, const Pool2dShape& shape, const T* x, T* y);
template <class T>
void avg_pool_forward(Cuda, const Pool2dShape& shape, const T* x, T* y);

template <class T>
void avg_pool_backward(Reference, const Pool2dShape& shape, const T* dy, T* dx);
template <class T>
void avg_pool_backward(Cpu, const Pool2dShape& shape, const T* dy, T* dx);
template <class T>
void avg_pool_backward(Cuda, const Pool2dShape& shape, const T* dy, T* dx);

}  // namespace roentgen::kernels

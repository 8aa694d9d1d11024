// Fused blocks: what the network's layers are made of. Each equals the composition of its plain kernels.
#pragma once

#include <cstdint>

#include "kernels/conv2d.h"
#include "kernels/device.h"
#include "kernels/dtype.h"
#include "kernels/matmul.h"
#include "kernels/philox.h"

namespace roentgen::kernels {

// Convolution, bias, ReLU, max pooling over pool x pool windows side by side (a remainder at the border is
// left out) and dropout of the pooled output. pool = 1 leaves the pooling out, rate = 0 the dropout.
struct ConvBlockShape {
  Conv2dShape conv;
  std::int64_t pool = 2;
  float rate = 0;
  RandomKey key;

  std::int64_t out_h() const { return conv.out_h() / pool; }
  std::int64_t out_w() const { return conv.out_w() / pool; }
};

// Bytes of the mask that forward leaves for backward: where in its window each output came from, or that it
// is dead or dropped. Its layout is the device's own. pool is at most 15.
std::int64_t conv_block_mask_bytes(Reference, const ConvBlockShape& shape);
std::int64_t conv_block_mask_bytes(Cpu, const ConvBlockShape& shape);
std::int64_t conv_block_mask_bytes(Cuda, const ConvBlockShape& shape);

// y [n, out_h, out_w, k]. Equals dropout(max_pool(relu(conv2d(x) + bias))) with the first maximum winning
// ties. bias may be null. mask may be null where no backward follows.
template <class T>
void conv_block_forward(Reference, const ConvBlockShape& shape, const T* x, const T* filters,
                        const Master<T>* bias, T* y, std::uint8_t* mask);
template <class T>
void conv_block_forward(Cpu, const ConvBlockShape& shape, const T* x, const T* filters, const Master<T>* bias,
                        T* y, std::uint8_t* mask);
template <class T>
void conv_block_forward(Cuda, const ConvBlockShape& shape, const T* x, const T* filters,
                        const Master<T>* bias, T* y, std::uint8_t* mask);

// dx may be null (first layer), dbias too.
template <class T>
void conv_block_backward(Reference, const ConvBlockShape& shape, const T* x, const T* filters,
                         const std::uint8_t* mask, const T* dy, T* dx, Master<T>* dfilters, Master<T>* dbias);
template <class T>
void conv_block_backward(Cpu, const ConvBlockShape& shape, const T* x, const T* filters,
                         const std::uint8_t* mask, const T* dy, T* dx, Master<T>* dfilters, Master<T>* dbias);
template <class T>
void conv_block_backward(Cuda, const ConvBlockShape& shape, const T* x, const T* filters,
                         const std::uint8_t* mask, const T* dy, T* dx, Master<T>* dfilters, Master<T>* dbias);

// Dense, bias, ReLU and dropout.
struct LinearBlockShape {
  LinearShape linear;
  float rate = 0;
  RandomKey key;
};

template <class T>
void linear_block_forward(Reference, const LinearBlockShape& shape, const T* x, const T* w,
                          const Master<T>* bias, T* y);
template <class T>
void linear_block_forward(Cpu, const LinearBlockShape& shape, const T* x, const T* w, const Master<T>* bias,
                          T* y);
template <class T>
void linear_block_forward(Cuda, const LinearBlockShape& shape, const T* x, const T* w, const Master<T>* bias,
                          T* y);

// From y: an output of 0 was dead or dropped. dx and dbias may be null.
template <class T>
void linear_block_backward(Reference, const LinearBlockShape& shape, const T* x, const T* w, const T* y,
                           const T* dy, T* dx, Master<T>* dw, Master<T>* dbias);
template <class T>
void linear_block_backward(Cpu, const LinearBlockShape& shape, const T* x, const T* w, const T* y,
                           const T* dy, T* dx, Master<T>* dw, Master<T>* dbias);
template <class T>
void linear_block_backward(Cuda, const LinearBlockShape& shape, const T* x, const T* w, const T* y,
                           const T* dy, T* dx, Master<T>* dw, Master<T>* dbias);

}  // namespace roentgen::kernels

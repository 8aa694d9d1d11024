// The first layer of an image network, whole: three channels are too few for a matrix product to pay, and its
// pre-activations are the largest tensor of the network, which these kernels never write.
#pragma once

#include "kernels/blocks.h"

namespace roentgen::kernels {

// 3x3 filters on 3 channels, stride 1, pooled 2x2, a multiple of 32 filters.
bool is_first_layer(const ConvBlockShape& shape);

// As conv_block_forward and, without dx, conv_block_backward.
template <class T>
void first_layer_forward(Cuda, const ConvBlockShape& shape, const T* x, const T* filters,
                         const Master<T>* bias, T* y, std::uint8_t* mask);
template <class T>
void first_layer_backward(Cuda, const ConvBlockShape& shape, const T* x, const std::uint8_t* mask,
                          const T* dy, Master<T>* dfilters, Master<T>* dbias);

}  // namespace roentgen::kernels

// The checks that conv2d and conv_block share.
#pragma once

#include "engine/check.h"
#include "engine/ops.h"
#include "kernels/conv2d.h"

namespace roentgen::engine {

inline kernels::Conv2dShape conv2d_shape(const char* op, const Tensor& x, const Tensor& filters,
                                         const Tensor& bias, const Conv2dOptions& options) {
  require_same_device(op, x, filters);
  require(x.rank() == 4 && filters.rank() == 4 && x.dim(3) == filters.dim(3) && filters.size() > 0 &&
              filters.dtype() == master_of(x.dtype()) &&
              (!bias.defined() || (bias.shape() == Shape{filters.dim(0)} && bias.dtype() == filters.dtype())),
          "{}: takes x [n, h, w, c], filters [k, r, s, c] and bias [k], not {} {}, {} {} and {}", op,
          to_string(x.dtype()), to_string(x.shape()), to_string(filters.dtype()), to_string(filters.shape()),
          to_string(bias.shape()));
  if (bias.defined()) require_same_device(op, x, bias);
  require(options.stride_h >= 1 && options.stride_w >= 1 && options.pad_h >= 0 && options.pad_w >= 0 &&
              options.dilation_h >= 1 && options.dilation_w >= 1,
          "{}: takes strides and dilations of 1 or more and padding of 0 or more", op);
  const kernels::Conv2dShape shape{.n = x.dim(0),
                                   .h = x.dim(1),
                                   .w = x.dim(2),
                                   .c = x.dim(3),
                                   .k = filters.dim(0),
                                   .r = filters.dim(1),
                                   .s = filters.dim(2),
                                   .stride_h = options.stride_h,
                                   .stride_w = options.stride_w,
                                   .pad_h = options.pad_h,
                                   .pad_w = options.pad_w,
                                   .dilation_h = options.dilation_h,
                                   .dilation_w = options.dilation_w};
  require(shape.h + 2 * shape.pad_h > shape.dilation_h * (shape.r - 1) &&
              shape.w + 2 * shape.pad_w > shape.dilation_w * (shape.s - 1),
          "{}: filters {} with dilation {} x {} are larger than x {} with padding {} x {}", op,
          to_string(filters.shape()), shape.dilation_h, shape.dilation_w, to_string(x.shape()), shape.pad_h,
          shape.pad_w);
  return shape;
}

}  // namespace roentgen::engine

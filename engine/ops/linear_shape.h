// The checks that linear and linear_block share.
#pragma once

#include "engine/check.h"
#include "kernels/matmul.h"

namespace roentgen::engine {

inline kernels::LinearShape linear_shape(const char* op, const Tensor& x, const Tensor& w,
                                         const Tensor& bias) {
  require_same_device(op, x, w);
  require(w.rank() == 2 && x.rank() >= 1 && x.dim(-1) == w.dim(1) && w.dim(1) > 0 &&
              w.dtype() == master_of(x.dtype()) &&
              (!bias.defined() || (bias.shape() == Shape{w.dim(0)} && bias.dtype() == w.dtype())),
          "{}: takes x [..., in], w [out, in] and bias [out], not {} {}, {} {} and {}", op,
          to_string(x.dtype()), to_string(x.shape()), to_string(w.dtype()), to_string(w.shape()),
          to_string(bias.shape()));
  if (bias.defined()) require_same_device(op, x, bias);
  return {.rows = x.size() / w.dim(1), .in = w.dim(1), .out = w.dim(0)};
}

}  // namespace roentgen::engine

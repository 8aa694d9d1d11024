// Loops over strided arrangements, cut into runs along the innermost axis that a compiler can vectorise.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/binary.h"

namespace roentgen::kernels {

// Extents and the strides of `Pointers` operands, outermost axis first. Axes of extent 1 are dropped and
// neighbours that every operand walks as one are merged, so that ordinary arrangements end up with one or two
// axes.
template <int Pointers>
class Nest {
 public:
  void push(std::int64_t dim, const std::int64_t (&strides)[Pointers]) {
    size_ *= dim;
    if (dim == 1) return;
    bool merges = rank_ > 0;
    for (int p = 0; p < Pointers && merges; ++p) merges = strides_[rank_ - 1][p] == strides[p] * dim;
    if (merges) {
      dims_[rank_ - 1] *= dim;
    } else {
      dims_[rank_++] = dim;
    }
    for (int p = 0; p < Pointers; ++p) strides_[rank_ - 1][p] = strides[p];
  }

  std::int64_t size() const { return size_; }
  std::int64_t inner() const { return rank_ > 0 ? dims_[rank_ - 1] : 1; }
  std::int64_t inner_stride(int pointer) const { return rank_ > 0 ? strides_[rank_ - 1][pointer] : 1; }

  // Calls f(offsets, length) for the runs that make up elements [begin, end) in row-major order: `length`
  // elements along the innermost axis, from offsets[p] of each operand on.
  template <class F>
  void runs(std::int64_t begin, std::int64_t end, F&& f) const {
    if (begin >= end) return;
    std::int64_t at[max_rank] = {}, offsets[Pointers] = {};
    std::int64_t rest = begin;
    for (int axis = rank_ - 1; axis >= 0; --axis) {
      at[axis] = rest % dims_[axis];
      rest /= dims_[axis];
      for (int p = 0; p < Pointers; ++p) offsets[p] += at[axis] * strides_[axis][p];
    }
    const int last = std::max(rank_ - 1, 0);
    for (std::int64_t done = begin;;) {
      const std::int64_t length = std::min(end - done, inner() - at[last]);
      f(static_cast<const std::int64_t(&)[Pointers]>(offsets), length);
      done += length;
      if (done >= end) return;
      // The run ended at the end of the innermost axis: back to its start, and on along the outer ones.
      for (int p = 0; p < Pointers; ++p) offsets[p] -= at[last] * strides_[last][p];
      at[last] = 0;
      for (int axis = last - 1; axis >= 0; --axis) {
        for (int p = 0; p < Pointers; ++p) offsets[p] += strides_[axis][p];
        if (++at[axis] < dims_[axis]) break;
        for (int p = 0; p < Pointers; ++p) offsets[p] -= dims_[axis] * strides_[axis][p];
        at[axis] = 0;
      }
    }
  }

 private:
  int rank_ = 0;
  std::int64_t size_ = 1;
  std::int64_t dims_[max_rank] = {};
  std::int64_t strides_[max_rank][Pointers] = {};
};

}  // namespace roentgen::kernels

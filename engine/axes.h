// Axes and strides, shared by the ops that move or reduce along them.
#pragma once

#include <vector>

#include "engine/check.h"
#include "engine/tensor.h"
#include "kernels/binary.h"
#include "kernels/strided.h"

namespace roentgen::engine {

// Elements from one index to the next along each axis of a contiguous tensor.
inline Shape strides_of(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

// Kernels take a fixed number of axes.
inline void require_rank(const char* op, const Shape& shape) {
  require(shape.size() <= kernels::max_rank, "{}: takes at most {} axes, not shape {}", op, kernels::max_rank,
          to_string(shape));
}

// The axis counted from the first.
inline std::size_t resolve_axis(const char* op, const Shape& shape, std::int64_t axis) {
  const auto rank = static_cast<std::int64_t>(shape.size());
  require(axis >= -rank && axis < rank, "{}: shape {} has no axis {}", op, to_string(shape), axis);
  return static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
}

// A copy over extents `dims` between memory read and written through these strides.
inline kernels::StridedCopy strided(const Shape& dims, const Shape& x_strides, const Shape& y_strides) {
  kernels::StridedCopy copy{.rank = static_cast<int>(dims.size())};
  for (std::size_t i = 0; i < dims.size(); ++i) {
    copy.dims[i] = dims[i];
    copy.x_strides[i] = x_strides[i];
    copy.y_strides[i] = y_strides[i];
  }
  return copy;
}

}  // namespace roentgen::engine

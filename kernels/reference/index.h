// Indexing for the reference kernels: one division per axis, nothing clever.
#pragma once

#include <cstdint>

namespace roentgen::kernels::reference {

inline std::int64_t count(int rank, const std::int64_t* dims) {
  std::int64_t n = 1;
  for (int axis = 0; axis < rank; ++axis) n *= dims[axis];
  return n;
}

// Offset of the element with row-major number `index` among extents dims, under the given strides.
inline std::int64_t offset(std::int64_t index, int rank, const std::int64_t* dims,
                           const std::int64_t* strides) {
  std::int64_t result = 0;
  for (int axis = rank - 1; axis >= 0; --axis) {
    result += index % dims[axis] * strides[axis];
    index /= dims[axis];
  }
  return result;
}

}  // namespace roentgen::kernels::reference

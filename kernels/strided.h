// One kernel moves data between any two strided arrangements.
#pragma once

#include <cstdint>

#include "kernels/binary.h"
#include "kernels/device.h"
#include "kernels/dtype.h"

namespace roentgen::kernels {

// Extents dims[0..rank) of what is copied, and where it lies on both sides: strides in elements. A stride of
// 0 in x repeats (broadcasting); offsets go into the pointers. The strides of y must not make elements
// overlap.
struct StridedCopy {
  int rank = 0;
  std::int64_t dims[max_rank] = {};
  std::int64_t x_strides[max_rank] = {};
  std::int64_t y_strides[max_rank] = {};
};

// Permutes, expands, slices, pads and concatenates, and is the backward of each: y[i . y_strides] = x[i .
// x_strides].
template <class T>
void strided_copy(Reference, const T* x, T* y, const StridedCopy& shape);
template <class T>
void strided_copy(Cpu, const T* x, T* y, const StridedCopy& shape);
template <class T>
void strided_copy(Cuda, const T* x, T* y, const StridedCopy& shape);

}  // namespace roentgen::kernels

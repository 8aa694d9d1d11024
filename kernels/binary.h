// Binary arithmetic with NumPy's broadcasting. Their gradients are products of these and of sums over axes.
#pragma once

#include <cstdint>

#include "kernels/device.h"
#include "kernels/dtype.h"

namespace roentgen::kernels {

inline constexpr int max_rank = 8;

// y is contiguous with extents dims[0..rank); a and b are read through strides in elements, 0 along axes over
// which they are broadcast.
struct Broadcast {
  int rank = 0;
  std::int64_t dims[max_rank] = {};
  std::int64_t a_strides[max_rank] = {};
  std::int64_t b_strides[max_rank] = {};
};

// y = a + b.
template <class T>
void add(Reference, const T* a, const T* b, T* y, const Broadcast& shape);
template <class T>
void add(Cpu, const T* a, const T* b, T* y, const Broadcast& shape);
template <class T>
void add(Cuda, const T* a, const T* b, T* y, const Broadcast& shape);

// y = a - b.
template <class T>
void sub(Reference, const T* a, const T* b, T* y, const Broadcast& shape);
template <class T>
void sub(Cpu, const T* a, const T* b, T* y, const Broadcast& shape);
template <class T>
void sub(Cuda, const T* a, const T* b, T* y, const Broadcast& shape);

// y = a * b.
template <class T>
void mul(Reference, const T* a, const T* b, T* y, const Broadcast& shape);
template <class T>
void mul(Cpu, const T* a, const T* b, T* y, const Broadcast& shape);
template <class T>
void mul(Cuda, const T* a, const T* b, T* y, const Broadcast& shape);

// y = a / b.
template <class T>
void div(Reference, const T* a, const T* b, T* y, const Broadcast& shape);
template <class T>
void div(Cpu, const T* a, const T* b, T* y, const Broadcast& shape);
template <class T>
void div(Cuda, const T* a, const T* b, T* y, const Broadcast& shape);

}  // namespace roentgen::kernels

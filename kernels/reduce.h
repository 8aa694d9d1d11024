// Reductions over any set of axes.
#pragma once

#include <cstdint>

#include "kernels/binary.h"
#include "kernels/device.h"
#include "kernels/dtype.h"

namespace roentgen::kernels {

// y has the kept extents, contiguous; each of its elements reduces over all reduced extents of x. Strides of
// x in elements.
struct Reduction {
  int kept_rank = 0;
  std::int64_t kept[max_rank] = {};
  std::int64_t kept_strides[max_rank] = {};
  int reduced_rank = 0;
  std::int64_t reduced[max_rank] = {};
  std::int64_t reduced_strides[max_rank] = {};
};

// y = factor * sum of x over the reduced axes (factor 1/count gives the mean).
template <class T>
void sum(Reference, const T* x, T* y, const Reduction& shape, double factor);
template <class T>
void sum(Cpu, const T* x, T* y, const Reduction& shape, double factor);
template <class T>
void sum(Cuda, const T* x, T* y, const Reduction& shape, double factor);

// y = max of x over the reduced axes; argmax = offset in x of the first maximum (row-major order of the
// reduced axes). NaN wins over numbers.
template <class T>
void max_forward(Reference, const T* x, T* y, std::int64_t* argmax, const Reduction& shape);
template <class T>
void max_forward(Cpu, const T* x, T* y, std::int64_t* argmax, const Reduction& shape);
template <class T>
void max_forward(Cuda, const T* x, T* y, std::int64_t* argmax, const Reduction& shape);

// dx = 0 except dx[argmax[i]] = dy[i]; dx has n_x elements, dy n_y.
template <class T>
void max_backward(Reference, const T* dy, const std::int64_t* argmax, T* dx, std::int64_t n_x,
                  std::int64_t n_y);
template <class T>
void max_backward(Cpu, const T* dy, const std::int64_t* argmax, T* dx, std::int64_t n_x, std::int64_t n_y);
template <class T>
void max_backward(Cuda, const T* dy, const std::int64_t* argmax, T* dx, std::int64_t n_x, std::int64_t n_y);

// Sum of squares, accumulated in double and in an order that does not depend on the number of threads.
template <class T>
double sum_of_squares(Reference, const T* x, std::int64_t n);
template <class T>
double sum_of_squares(Cpu, const T* x, std::int64_t n);
template <class T>
double sum_of_squares(Cuda, const T* x, std::int64_t n);

}  // namespace roentgen::kernels

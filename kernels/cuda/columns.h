// Sums over the rows of a matrix: gradients of biases.
#pragma once

#include "kernels/cuda/reduction.h"

namespace roentgen::kernels {

template <class T>
struct RowValue {
  const T* x;
  std::int64_t columns;
  __device__ Sums<1> operator()(std::uint32_t column, std::uint32_t row) const {
    return {{widen(x[row * columns + column])}};
  }
};
struct WriteColumn {
  float* y;
  __device__ void operator()(std::uint32_t column, const Sums<1>& sums) const { y[column] = sums.at[0]; }
};

// y[j] = sum over i of x[i, j], x [rows, columns].
template <class T>
void sum_columns(Cuda device, const char* op, const T* x, std::int64_t rows, std::int64_t columns, float* y) {
  sum_over<1>(device, op, columns, rows, true, RowValue<T>{x, columns}, WriteColumn{y});
}

}  // namespace roentgen::kernels

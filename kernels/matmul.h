// Matrix products and dense layers.
#pragma once

#include <cstdint>

#include "kernels/device.h"
#include "kernels/dtype.h"

namespace roentgen::kernels {

// c[i] = op(a[i]) op(b[i]) for i < batch, row-major: op(a) is m x k, op(b) is k x n. Batch strides in
// elements, 0 to share one matrix over the batch.
struct MatmulShape {
  std::int64_t batch = 1, m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
  std::int64_t a_stride = 0, b_stride = 0;
};

template <class T>
void matmul(Reference, const MatmulShape& shape, const T* a, const T* b, T* c);
template <class T>
void matmul(Cpu, const MatmulShape& shape, const T* a, const T* b, T* c);
template <class T>
void matmul(Cuda, const MatmulShape& shape, const T* a, const T* b, T* c);

// A dense layer: x [rows, in], w [out, in], bias [out] or null, y [rows, out] = x w^T + bias.
struct LinearShape {
  std::int64_t rows = 0, in = 0, out = 0;
};

template <class T>
void linear_forward(Reference, const LinearShape& shape, const T* x, const T* w, const Master<T>* bias, T* y);
template <class T>
void linear_forward(Cpu, const LinearShape& shape, const T* x, const T* w, const Master<T>* bias, T* y);
template <class T>
void linear_forward(Cuda, const LinearShape& shape, const T* x, const T* w, const Master<T>* bias, T* y);

template <class T>
void linear_backward_data(Reference, const LinearShape& shape, const T* dy, const T* w, T* dx);
template <class T>
void linear_backward_data(Cpu, const LinearShape& shape, const T* dy, const T* w, T* dx);
template <class T>
void linear_backward_data(Cuda, const LinearShape& shape, const T* dy, const T* w, T* dx);

// dw [out, in], dbias [out] or null.
template <class T>
void linear_backward_weights(Reference, const LinearShape& shape, const T* x, const T* dy, Master<T>* dw,
                             Master<T>* dbias);
template <class T>
void linear_backward_weights(Cpu, const LinearShape& shape, const T* x, const T* dy, Master<T>* dw,
                             Master<T>* dbias);
template <class T>
void linear_backward_weights(Cuda, const LinearShape& shape, const T* x, const T* dy, Master<T>* dw,
                             Master<T>* dbias);

}  // namespace roentgen::kernels

// The hand-written kernels of operations that NVIDIA's libraries have too: to be called by name, so that both
// can be compared and timed. choice.h says what an operation uses. Shapes and errors as in
// kernels/conv2d.h and kernels/matmul.h.
#pragma once

#include "kernels/conv2d.h"
#include "kernels/matmul.h"

namespace roentgen::kernels::own {

template <class T>
void conv2d_forward(Cuda, const Conv2dShape& shape, const T* x, const T* filters, const Master<T>* bias,
                    T* y);
template <class T>
void conv2d_backward_data(Cuda, const Conv2dShape& shape, const T* dy, const T* filters, T* dx);
template <class T>
void conv2d_backward_weights(Cuda, const Conv2dShape& shape, const T* x, const T* dy, Master<T>* dfilters,
                             Master<T>* dbias);

template <class T>
void matmul(Cuda, const MatmulShape& shape, const T* a, const T* b, T* c);
template <class T>
void linear_forward(Cuda, const LinearShape& shape, const T* x, const T* w, const Master<T>* bias, T* y);
template <class T>
void linear_backward_data(Cuda, const LinearShape& shape, const T* dy, const T* w, T* dx);
template <class T>
void linear_backward_weights(Cuda, const LinearShape& shape, const T* x, const T* dy, Master<T>* dw,
                             Master<T>* dbias);

// y[j] = sum over i of x[i, j], x [rows, columns]: a bias' gradient from its layer's.
template <class T>
void sum_rows(Cuda, const T* x, std::int64_t rows, std::int64_t columns, Master<T>* y);

}  // namespace roentgen::kernels::own

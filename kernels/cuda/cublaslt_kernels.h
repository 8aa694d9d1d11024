// cuBLASLt's matrix products, to be called by name beside the hand-written ones (own.h). Shapes as in
// kernels/matmul.h; T is float or bfloat16. They return false, and have written nothing, where the library
// cannot be loaded, has no kernel for the shape and type, or an extent is 0. Errors are DeviceError.
#pragma once

#include "kernels/device.h"
#include "kernels/dtype.h"
#include "kernels/matmul.h"

namespace roentgen::kernels::cublaslt {

template <class T>
[[nodiscard]] bool matmul(Cuda, const MatmulShape& shape, const T* a, const T* b, T* c);
template <class T>
[[nodiscard]] bool linear_forward(Cuda, const LinearShape& shape, const T* x, const T* w,
                                  const Master<T>* bias, T* y);
// y = max(linear, 0).
template <class T>
[[nodiscard]] bool linear_relu_forward(Cuda, const LinearShape& shape, const T* x, const T* w,
                                       const Master<T>* bias, T* y);
template <class T>
[[nodiscard]] bool linear_backward_data(Cuda, const LinearShape& shape, const T* dy, const T* w, T* dx);
template <class T>
[[nodiscard]] bool linear_backward_weights(Cuda, const LinearShape& shape, const T* x, const T* dy,
                                           Master<T>* dw, Master<T>* dbias);

}  // namespace roentgen::kernels::cublaslt

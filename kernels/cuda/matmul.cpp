#include "kernels/matmul.h"

#include "kernels/cuda/choice.h"
#include "kernels/cuda/cublaslt_kernels.h"
#include "kernels/cuda/own.h"

namespace roentgen::kernels {

template <class T>
void matmul(Cuda device, const MatmulShape& shape, const T* a, const T* b, T* c) {
  if constexpr (with_cublaslt)
    if (cublaslt::matmul(device, shape, a, b, c)) return;
  own::matmul(device, shape, a, b, c);
}
template <class T>
void linear_forward(Cuda device, const LinearShape& shape, const T* x, const T* w, const Master<T>* bias,
                    T* y) {
  if constexpr (with_cublaslt)
    if (cublaslt::linear_forward(device, shape, x, w, bias, y)) return;
  own::linear_forward(device, shape, x, w, bias, y);
}
template <class T>
void linear_backward_data(Cuda device, const LinearShape& shape, const T* dy, const T* w, T* dx) {
  if constexpr (with_cublaslt)
    if (cublaslt::linear_backward_data(device, shape, dy, w, dx)) return;
  own::linear_backward_data(device, shape, dy, w, dx);
}
template <class T>
void linear_backward_weights(Cuda device, const LinearShape& shape, const T* x, const T* dy, Master<T>* dw,
                             Master<T>* dbias) {
  if constexpr (with_cublaslt)
    if (cublaslt::linear_backward_weights(device, shape, x, dy, dw, dbias)) return;
  own::linear_backward_weights(device, shape, x, dy, dw, dbias);
}

#define ROENTGEN_INSTANTIATE(T)                                                                     \
  template void matmul(Cuda, const MatmulShape&, const T*, const T*, T*);                           \
  template void linear_forward(Cuda, const LinearShape&, const T*, const T*, const Master<T>*, T*); \
  template void linear_backward_data(Cuda, const LinearShape&, const T*, const T*, T*);             \
  template void linear_backward_weights(Cuda, const LinearShape&, const T*, const T*, Master<T>*, Master<T>*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

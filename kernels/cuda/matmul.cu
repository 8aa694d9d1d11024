#include "kernels/matmul.h"

#include "kernels/cuda/columns.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/own.h"

namespace roentgen::kernels::own {

template <class T>
void matmul(Cuda device, const MatmulShape& s, const T* a, const T* b, T* c) {
  constexpr std::int64_t most = 65535;  // a grid's third extent
  for (std::int64_t first = 0; first < s.batch; first += most) {
    gemm(device, std::min(most, s.batch - first), s.m, s.n, s.k,
         matrix(a + first * s.a_stride, s.m, s.k, s.transpose_a, s.a_stride),
         matrix(b + first * s.b_stride, s.n, s.k, !s.transpose_b, s.b_stride),
         store_rows(c + first * s.m * s.n, nullptr, s.m, s.n));
  }
}

template <class T>
void linear_forward(Cuda device, const LinearShape& s, const T* x, const T* w, const Master<T>* bias, T* y) {
  gemm(device, 1, s.rows, s.out, s.in, matrix(x, s.rows, s.in, false), matrix(w, s.out, s.in, false),
       store_rows(y, bias, s.rows, s.out));
}

template <class T>
void linear_backward_data(Cuda device, const LinearShape& s, const T* dy, const T* w, T* dx) {
  gemm(device, 1, s.rows, s.in, s.out, matrix(dy, s.rows, s.out, false), matrix(w, s.in, s.out, true),
       store_rows(dx, nullptr, s.rows, s.in));
}

template <class T>
void linear_backward_weights(Cuda device, const LinearShape& s, const T* x, const T* dy, Master<T>* dw,
                             Master<T>* dbias) {
  gemm(device, 1, s.out, s.in, s.rows, matrix(dy, s.out, s.rows, true), matrix(x, s.in, s.rows, true),
       store_rows(dw, nullptr, s.out, s.in));
  if (dbias) sum_columns(device, "linear", dy, s.rows, s.out, dbias);
}

#define ROENTGEN_INSTANTIATE(T)                                                                     \
  template void matmul(Cuda, const MatmulShape&, const T*, const T*, T*);                           \
  template void linear_forward(Cuda, const LinearShape&, const T*, const T*, const Master<T>*, T*); \
  template void linear_backward_data(Cuda, const LinearShape&, const T*, const T*, T*);             \
  template void linear_backward_weights(Cuda, const LinearShape&, const T*, const T*, Master<T>*, Master<T>*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels::own

#include <bit>
#include <limits>

#include "kernels/cuda/cublaslt_kernels.h"
#include "kernels/cuda/cublaslt_product.h"
#include "kernels/cuda/own.h"
#include "kernels/elementwise.h"

namespace roentgen::kernels::cublaslt {
namespace {

template <class T>
constexpr cudaDataType_t type_of = std::is_same_v<T, bfloat16> ? CUDA_R_16BF : CUDA_R_32F;

std::size_t alignment_of(std::initializer_list<const void*> pointers) {
  std::uintptr_t bits = 256;  // more is not asked for
  for (const void* pointer : pointers) bits |= reinterpret_cast<std::uintptr_t>(pointer);
  return std::size_t{1} << std::countr_zero(bits);
}

template <class In, class Out>
bool run(Cuda device, const MatmulShape& s, const In* a, const In* b, const float* bias, bool relu, Out* c) {
  constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
  for (const std::int64_t extent : {s.batch, s.m, s.n, s.k})
    if (extent <= 0 || extent > most) return false;
  if (!functions()) return false;
  const Product product{.shape = s,
                        .in = type_of<In>,
                        .out = type_of<Out>,
                        .tf32 = std::is_same_v<In, float> && device.context->options().tf32,
                        .epilogue = !bias  ? Epilogue::none
                                    : relu ? Epilogue::bias_relu
                                           : Epilogue::bias,
                        .alignment = alignment_of({a, b, bias, c})};
  return device.context->part<Library>().run(product, a, b, bias, c);
}

// x w^T + bias, with ReLU or without.
template <class T>
bool dense(Cuda device, const LinearShape& s, const T* x, const T* w, const float* bias, bool relu, T* y) {
  const MatmulShape shape{.m = s.rows, .n = s.out, .k = s.in, .transpose_b = true};
  if constexpr (std::is_same_v<T, bfloat16>) {
    // Kernels that write bfloat16 want a bias of bfloat16. A batch's sums are few: add the bias in float and
    // round once, as the other devices do.
    if (bias && s.rows > 0 && s.out > 0) {
      const Scratch<float> sums(device, s.rows * s.out);
      if (!run(device, shape, x, w, bias, relu, sums.data())) return false;
      cast<float, bfloat16>(device, sums.data(), y, s.rows * s.out);
      return true;
    }
  }
  return run(device, shape, x, w, bias, relu, y);
}

}  // namespace

template <class T>
bool matmul(Cuda device, const MatmulShape& shape, const T* a, const T* b, T* c) {
  return run(device, shape, a, b, nullptr, false, c);
}
template <class T>
bool linear_forward(Cuda device, const LinearShape& shape, const T* x, const T* w, const Master<T>* bias,
                    T* y) {
  return dense(device, shape, x, w, bias, false, y);
}
template <class T>
bool linear_relu_forward(Cuda device, const LinearShape& shape, const T* x, const T* w, const Master<T>* bias,
                         T* y) {
  return bias && dense(device, shape, x, w, bias, true, y);
}
template <class T>
bool linear_backward_data(Cuda device, const LinearShape& s, const T* dy, const T* w, T* dx) {
  return run(device, {.m = s.rows, .n = s.in, .k = s.out}, dy, w, nullptr, false, dx);
}
template <class T>
bool linear_backward_weights(Cuda device, const LinearShape& s, const T* x, const T* dy, Master<T>* dw,
                             Master<T>* dbias) {
  if (!run(device, {.m = s.out, .n = s.in, .k = s.rows, .transpose_a = true}, dy, x, nullptr, false, dw))
    return false;
  if (dbias) own::sum_rows(device, dy, s.rows, s.out, dbias);
  return true;
}

#define ROENTGEN_INSTANTIATE(T)                                                                          \
  template bool matmul(Cuda, const MatmulShape&, const T*, const T*, T*);                                \
  template bool linear_forward(Cuda, const LinearShape&, const T*, const T*, const Master<T>*, T*);      \
  template bool linear_relu_forward(Cuda, const LinearShape&, const T*, const T*, const Master<T>*, T*); \
  template bool linear_backward_data(Cuda, const LinearShape&, const T*, const T*, T*);                  \
  template bool linear_backward_weights(Cuda, const LinearShape&, const T*, const T*, Master<T>*, Master<T>*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels::cublaslt

#include "kernels/cuda/cudnn_kernels.h"
#include "kernels/cuda/cudnn_library.h"
#include "kernels/cuda/own.h"
#include "kernels/elementwise.h"

namespace roentgen::kernels::cudnn {
namespace {

template <class T>
bool run(Cuda device, ConvKind kind, const Conv2dShape& s, Arguments arguments) {
  if (s.n == 0 || s.h == 0 || s.w == 0 || s.c == 0 || s.k == 0 || s.out_h() <= 0 || s.out_w() <= 0)
    return false;
  const CudaOptions& options = device.context->options();
  const Precision precision = std::is_same_v<T, bfloat16> ? Precision::bfloat16
                              : options.tf32              ? Precision::tf32
                                                          : Precision::float32;
  return device.context->part<Library>().run({kind, s, precision, options.deterministic}, arguments);
}

// For three channels, and where cuDNN cannot compile: a gradient rounded to bfloat16 is within what bfloat16
// promises, and tensor cores make it many times faster than the hand-written kernel.
template <class T>
bool backward_weights_rounded(Cuda device, const Conv2dShape& shape, const T* x, const T* dy,
                              Master<T>* dfilters) {
  if constexpr (std::is_same_v<T, bfloat16>) {
    const std::int64_t n = shape.k * shape.r * shape.s * shape.c;
    const Scratch<T> rounded(device, n);
    if (!run<T>(device, ConvKind::backward_weights_rounded, shape,
                {{'x', x}, {'y', dy}, {'w', rounded.data()}}))
      return false;
    cast<T, float>(device, rounded.data(), dfilters, n);
    return true;
  }
  return false;
}

}  // namespace

template <class T>
bool conv2d_forward(Cuda device, const Conv2dShape& shape, const T* x, const T* filters,
                    const Master<T>* bias, T* y) {
  if (!bias) return run<T>(device, ConvKind::forward, shape, {{'x', x}, {'w', filters}, {'y', y}});
  return run<T>(device, ConvKind::forward_bias, shape, {{'x', x}, {'w', filters}, {'b', bias}, {'y', y}});
}
template <class T>
bool conv2d_relu_forward(Cuda device, const Conv2dShape& shape, const T* x, const T* filters,
                         const Master<T>* bias, T* y) {
  return run<T>(device, ConvKind::forward_bias_relu, shape,
                {{'x', x}, {'w', filters}, {'b', bias}, {'y', y}});
}
template <class T>
bool conv2d_backward_data(Cuda device, const Conv2dShape& shape, const T* dy, const T* filters, T* dx) {
  return run<T>(device, ConvKind::backward_data, shape, {{'y', dy}, {'w', filters}, {'x', dx}});
}
template <class T>
bool conv2d_relu_backward_data(Cuda device, const Conv2dShape& shape, const T* dy, const T* filters,
                               const T* x, T* dx) {
  return run<T>(device, ConvKind::backward_data_relu, shape,
                {{'y', dy}, {'w', filters}, {'r', x}, {'x', dx}});
}
template <class T>
bool conv2d_backward_weights(Cuda device, const Conv2dShape& shape, const T* x, const T* dy,
                             Master<T>* dfilters, Master<T>* dbias) {
  if (!run<T>(device, ConvKind::backward_weights, shape, {{'x', x}, {'y', dy}, {'w', dfilters}}) &&
      !backward_weights_rounded(device, shape, x, dy, dfilters))
    return false;
  if (dbias) own::sum_rows(device, dy, shape.n * shape.out_h() * shape.out_w(), shape.k, dbias);
  return true;
}

#define ROENTGEN_INSTANTIATE(T)                                                                          \
  template bool conv2d_forward(Cuda, const Conv2dShape&, const T*, const T*, const Master<T>*, T*);      \
  template bool conv2d_relu_forward(Cuda, const Conv2dShape&, const T*, const T*, const Master<T>*, T*); \
  template bool conv2d_backward_data(Cuda, const Conv2dShape&, const T*, const T*, T*);                  \
  template bool conv2d_relu_backward_data(Cuda, const Conv2dShape&, const T*, const T*, const T*, T*);   \
  template bool conv2d_backward_weights(Cuda, const Conv2dShape&, const T*, const T*, Master<T>*, Master<T>*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels::cudnn

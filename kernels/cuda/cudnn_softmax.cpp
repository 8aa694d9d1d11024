#include "kernels/cuda/cudnn_descriptors.h"
#include "kernels/cuda/cudnn_kernels.h"
#include "kernels/cuda/cudnn_library.h"

namespace roentgen::kernels::cudnn {
namespace {

constexpr float one = 1, none = 0;

template <class T>
bool forward(Cuda device, cudnnSoftmaxAlgorithm_t algorithm, const T* x, T* y, std::int64_t rows,
             std::int64_t c) {
  const auto tensor = tensor_descriptor<T>(rows, 1, 1, c);
  if (!tensor) return false;
  device.context->activate();
  return succeeded(cudnnSoftmaxForward(device.context->part<Library>().handle(), algorithm,
                                       CUDNN_SOFTMAX_MODE_CHANNEL, &one, tensor->get(), x, &none,
                                       tensor->get(), y));
}

template <class T>
bool backward(Cuda device, cudnnSoftmaxAlgorithm_t algorithm, const T* y, const T* dy, T* dx,
              std::int64_t rows, std::int64_t c) {
  const auto tensor = tensor_descriptor<T>(rows, 1, 1, c);
  if (!tensor) return false;
  device.context->activate();
  return succeeded(cudnnSoftmaxBackward(device.context->part<Library>().handle(), algorithm,
                                        CUDNN_SOFTMAX_MODE_CHANNEL, &one, tensor->get(), y, tensor->get(), dy,
                                        &none, tensor->get(), dx));
}

}  // namespace

template <class T>
bool softmax_forward(Cuda device, const T* x, T* y, std::int64_t rows, std::int64_t c) {
  return forward(device, CUDNN_SOFTMAX_ACCURATE, x, y, rows, c);
}
template <class T>
bool softmax_backward(Cuda device, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c) {
  return backward(device, CUDNN_SOFTMAX_ACCURATE, y, dy, dx, rows, c);
}
template <class T>
bool log_softmax_forward(Cuda device, const T* x, T* y, std::int64_t rows, std::int64_t c) {
  return forward(device, CUDNN_SOFTMAX_LOG, x, y, rows, c);
}
template <class T>
bool log_softmax_backward(Cuda device, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c) {
  return backward(device, CUDNN_SOFTMAX_LOG, y, dy, dx, rows, c);
}

#define ROENTGEN_INSTANTIATE(T)                                                             \
  template bool softmax_forward(Cuda, const T*, T*, std::int64_t, std::int64_t);            \
  template bool softmax_backward(Cuda, const T*, const T*, T*, std::int64_t, std::int64_t); \
  template bool log_softmax_forward(Cuda, const T*, T*, std::int64_t, std::int64_t);        \
  template bool log_softmax_backward(Cuda, const T*, const T*, T*, std::int64_t, std::int64_t);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels::cudnn

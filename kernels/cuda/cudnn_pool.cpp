#include "kernels/cuda/cudnn_descriptors.h"
#include "kernels/cuda/cudnn_kernels.h"
#include "kernels/cuda/cudnn_library.h"

namespace roentgen::kernels::cudnn {

std::optional<PoolingDescriptor> pooling_descriptor(const Pool2dShape& s, cudnnPoolingMode_t mode) {
  if (s.dilation_h != 1 || s.dilation_w != 1 || s.pad_h >= s.kernel_h || s.pad_w >= s.kernel_w)
    return std::nullopt;
  // A last window that starts beyond the image.
  if ((s.out_h() - 1) * s.stride_h - s.pad_h >= s.h || (s.out_w() - 1) * s.stride_w - s.pad_w >= s.w)
    return std::nullopt;
  PoolingDescriptor descriptor;
  check(cudnnSetPooling2dDescriptor(descriptor.get(), mode, CUDNN_PROPAGATE_NAN, static_cast<int>(s.kernel_h),
                                    static_cast<int>(s.kernel_w), static_cast<int>(s.pad_h),
                                    static_cast<int>(s.pad_w), static_cast<int>(s.stride_h),
                                    static_cast<int>(s.stride_w)));
  return descriptor;
}

namespace {

constexpr float one = 1, none = 0;

cudnnPoolingMode_t max_mode(Cuda device) {
  return device.context->options().deterministic ? CUDNN_POOLING_MAX_DETERMINISTIC : CUDNN_POOLING_MAX;
}
constexpr cudnnPoolingMode_t average_mode = CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING;

template <class T>
bool forward(Cuda device, const Pool2dShape& s, cudnnPoolingMode_t mode, const T* x, T* y) {
  const auto of_x = tensor_descriptor<T>(s.n, s.h, s.w, s.c),
             of_y = tensor_descriptor<T>(s.n, s.out_h(), s.out_w(), s.c);
  const auto pooling = pooling_descriptor(s, mode);
  if (!of_x || !of_y || !pooling) return false;
  device.context->activate();
  return succeeded(cudnnPoolingForward(device.context->part<Library>().handle(), pooling->get(), &one,
                                       of_x->get(), x, &none, of_y->get(), y));
}

template <class T>
bool backward(Cuda device, const Pool2dShape& s, cudnnPoolingMode_t mode, const T* x, const T* y, const T* dy,
              T* dx) {
  const auto of_x = tensor_descriptor<T>(s.n, s.h, s.w, s.c),
             of_y = tensor_descriptor<T>(s.n, s.out_h(), s.out_w(), s.c);
  const auto pooling = pooling_descriptor(s, mode);
  if (!of_x || !of_y || !pooling) return false;
  device.context->activate();
  return succeeded(cudnnPoolingBackward(device.context->part<Library>().handle(), pooling->get(), &one,
                                        of_y->get(), y, of_y->get(), dy, of_x->get(), x, &none, of_x->get(),
                                        dx));
}

}  // namespace

template <class T>
bool max_pool_forward(Cuda device, const Pool2dShape& shape, const T* x, T* y) {
  return forward(device, shape, max_mode(device), x, y);
}
template <class T>
bool max_pool_backward(Cuda device, const Pool2dShape& shape, const T* x, const T* y, const T* dy, T* dx) {
  return backward(device, shape, max_mode(device), x, y, dy, dx);
}
template <class T>
bool avg_pool_forward(Cuda device, const Pool2dShape& shape, const T* x, T* y) {
  return forward(device, shape, average_mode, x, y);
}
template <class T>
bool avg_pool_backward(Cuda device, const Pool2dShape& shape, const T* x, const T* y, const T* dy, T* dx) {
  return backward(device, shape, average_mode, x, y, dy, dx);
}

#define ROENTGEN_INSTANTIATE(T)                                                                \
  template bool max_pool_forward(Cuda, const Pool2dShape&, const T*, T*);                      \
  template bool max_pool_backward(Cuda, const Pool2dShape&, const T*, const T*, const T*, T*); \
  template bool avg_pool_forward(Cuda, const Pool2dShape&, const T*, T*);                      \
  template bool avg_pool_backward(Cuda, const Pool2dShape&, const T*, const T*, const T*, T*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels::cudnn

#include "kernels/conv2d.h"

#include "kernels/cuda/choice.h"
#include "kernels/cuda/cudnn_kernels.h"
#include "kernels/cuda/own.h"

namespace roentgen::kernels {

template <class T>
void conv2d_forward(Cuda device, const Conv2dShape& shape, const T* x, const T* filters,
                    const Master<T>* bias, T* y) {
  if constexpr (with_cudnn)
    if (cudnn::conv2d_forward(device, shape, x, filters, bias, y)) return;
  own::conv2d_forward(device, shape, x, filters, bias, y);
}
template <class T>
void conv2d_backward_data(Cuda device, const Conv2dShape& shape, const T* dy, const T* filters, T* dx) {
  if constexpr (with_cudnn)
    if (cudnn::conv2d_backward_data(device, shape, dy, filters, dx)) return;
  own::conv2d_backward_data(device, shape, dy, filters, dx);
}
template <class T>
void conv2d_backward_weights(Cuda device, const Conv2dShape& shape, const T* x, const T* dy,
                             Master<T>* dfilters, Master<T>* dbias) {
  if constexpr (with_cudnn)
    if (cudnn::conv2d_backward_weights(device, shape, x, dy, dfilters, dbias)) return;
  own::conv2d_backward_weights(device, shape, x, dy, dfilters, dbias);
}

#define ROENTGEN_INSTANTIATE(T)                                                                     \
  template void conv2d_forward(Cuda, const Conv2dShape&, const T*, const T*, const Master<T>*, T*); \
  template void conv2d_backward_data(Cuda, const Conv2dShape&, const T*, const T*, T*);             \
  template void conv2d_backward_weights(Cuda, const Conv2dShape&, const T*, const T*, Master<T>*, Master<T>*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

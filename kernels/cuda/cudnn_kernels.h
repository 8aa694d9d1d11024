// cuDNN's kernels, to be called by name beside the hand-written ones (own.h). Shapes and types as in
// kernels/{conv2d,pool,softmax}.h; T is float or bfloat16. They return false, and have written nothing, where
// cuDNN has no kernel for the shape, the type or the device's options, where a tensor is empty, and where a
// convolution's tensor is not aligned to 16 bytes. Errors are DeviceError.
#pragma once

#include <memory>

#include "kernels/conv2d.h"
#include "kernels/device.h"
#include "kernels/dtype.h"
#include "kernels/pool.h"

namespace roentgen::kernels::cudnn {

// The first call for a shape may take seconds: engines are compiled and timed.
template <class T>
[[nodiscard]] bool conv2d_forward(Cuda, const Conv2dShape& shape, const T* x, const T* filters,
                                  const Master<T>* bias, T* y);
// y = max(conv2d + bias, 0).
template <class T>
[[nodiscard]] bool conv2d_relu_forward(Cuda, const Conv2dShape& shape, const T* x, const T* filters,
                                       const Master<T>* bias, T* y);
template <class T>
[[nodiscard]] bool conv2d_backward_data(Cuda, const Conv2dShape& shape, const T* dy, const T* filters, T* dx);
// x is the output of a ReLU; dx is the gradient of the ReLU's input.
template <class T>
[[nodiscard]] bool conv2d_relu_backward_data(Cuda, const Conv2dShape& shape, const T* dy, const T* filters,
                                             const T* x, T* dx);
template <class T>
[[nodiscard]] bool conv2d_backward_weights(Cuda, const Conv2dShape& shape, const T* x, const T* dy,
                                           Master<T>* dfilters, Master<T>* dbias);

// cuDNN keeps no argmax, so its backward looks for the maxima again in x and y.
template <class T>
[[nodiscard]] bool max_pool_forward(Cuda, const Pool2dShape& shape, const T* x, T* y);
template <class T>
[[nodiscard]] bool max_pool_backward(Cuda, const Pool2dShape& shape, const T* x, const T* y, const T* dy,
                                     T* dx);
template <class T>
[[nodiscard]] bool avg_pool_forward(Cuda, const Pool2dShape& shape, const T* x, T* y);
// cuDNN wants the forward's tensors here too.
template <class T>
[[nodiscard]] bool avg_pool_backward(Cuda, const Pool2dShape& shape, const T* x, const T* y, const T* dy,
                                     T* dx);

template <class T>
[[nodiscard]] bool softmax_forward(Cuda, const T* x, T* y, std::int64_t rows, std::int64_t c);
template <class T>
[[nodiscard]] bool softmax_backward(Cuda, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c);
template <class T>
[[nodiscard]] bool log_softmax_forward(Cuda, const T* x, T* y, std::int64_t rows, std::int64_t c);
template <class T>
[[nodiscard]] bool log_softmax_backward(Cuda, const T* y, const T* dy, T* dx, std::int64_t rows,
                                        std::int64_t c);

// cuDNN draws from a generator of its own, whose state lives on the device and moves on with each call: no
// mask that another device, another batch order or a resumed run could draw again.
class Dropout {
 public:
  // 0 <= rate < 1.
  Dropout(Cuda device, float rate, std::uint64_t seed);
  ~Dropout();
  Dropout(Dropout&&) noexcept;
  Dropout& operator=(Dropout&&) noexcept;

  // Bytes of the mask that forward leaves for backward.
  template <class T>
  std::size_t mask_bytes(std::int64_t n) const;
  template <class T>
  [[nodiscard]] bool forward(const T* x, T* y, std::int64_t n, std::uint8_t* mask) const;
  template <class T>
  [[nodiscard]] bool backward(const T* dy, T* dx, std::int64_t n, std::uint8_t* mask) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace roentgen::kernels::cudnn

// Softmax, log-softmax and cross-entropy.
#pragma once

#include <cstdint>

#include "kernels/device.h"
#include "kernels/dtype.h"

namespace roentgen::kernels {

// x [rows, c]; over the last axis, with the maximum taken off first.
template <class T>
void softmax_forward(Reference, const T* x, T* y, std::int64_t rows, std::int64_t c);
template <class T>
void softmax_forward(Cpu, const T* x, T* y, std::int64_t rows, std::int64_t c);
template <class T>
void softmax_forward(Cuda, const T* x, T* y, std::int64_t rows, std::int64_t c);

// From y.
template <class T>
void softmax_backward(Reference, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c);
template <class T>
void softmax_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c);
template <class T>
void softmax_backward(Cuda, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c);

template <class T>
void log_softmax_forward(Reference, const T* x, T* y, std::int64_t rows, std::int64_t c);
template <class T>
void log_softmax_forward(Cpu, const T* x, T* y, std::int64_t rows, std::int64_t c);
template <class T>
void log_softmax_forward(Cuda, const T* x, T* y, std::int64_t rows, std::int64_t c);

// From y.
template <class T>
void log_softmax_backward(Reference, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c);
template <class T>
void log_softmax_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c);
template <class T>
void log_softmax_backward(Cuda, const T* y, const T* dy, T* dx, std::int64_t rows, std::int64_t c);

// Softmax and cross-entropy in one, from logits [rows, c] and labels [rows] in [0, c).
// loss = sum_i l_i / sum_i w[label_i], with
// l_i = -(1 - smoothing) w[label_i] log p_i[label_i] - smoothing / c * sum_j w[j] log p_i[j], as PyTorch
// defines it; w = 1 where class_weights is null, and the divisor is then rows. A label out of range throws
// std::invalid_argument on the host devices.
struct CrossEntropyShape {
  std::int64_t rows = 0, c = 0;
  double label_smoothing = 0;
};

// Writes loss [1] and log_p [rows, c], which the backward reads.
template <class T>
void cross_entropy_forward(Reference, const CrossEntropyShape& shape, const T* logits,
                           const std::int32_t* labels, const Master<T>* class_weights, Master<T>* loss,
                           Master<T>* log_p);
template <class T>
void cross_entropy_forward(Cpu, const CrossEntropyShape& shape, const T* logits, const std::int32_t* labels,
                           const Master<T>* class_weights, Master<T>* loss, Master<T>* log_p);
template <class T>
void cross_entropy_forward(Cuda, const CrossEntropyShape& shape, const T* logits, const std::int32_t* labels,
                           const Master<T>* class_weights, Master<T>* loss, Master<T>* log_p);

// dloss [1], in device memory.
template <class T>
void cross_entropy_backward(Reference, const CrossEntropyShape& shape, const Master<T>* log_p,
                            const std::int32_t* labels, const Master<T>* class_weights,
                            const Master<T>* dloss, T* dlogits);
template <class T>
void cross_entropy_backward(Cpu, const CrossEntropyShape& shape, const Master<T>* log_p,
                            const std::int32_t* labels, const Master<T>* class_weights,
                            const Master<T>* dloss, T* dlogits);
template <class T>
void cross_entropy_backward(Cuda, const CrossEntropyShape& shape, const Master<T>* log_p,
                            const std::int32_t* labels, const Master<T>* class_weights,
                            const Master<T>* dloss, T* dlogits);

}  // namespace roentgen::kernels

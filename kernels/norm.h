// Batch normalisation.
#pragma once

#include <cstdint>

#include "kernels/device.h"
#include "kernels/dtype.h"

namespace roentgen::kernels {

// x [rows, c]: NHWC with rows = n * h * w. Statistics per channel, biased variance inside, as Ioffe and
// Szegedy 2015.
struct BatchNormShape {
  std::int64_t rows = 0, c = 0;
  double epsilon = 1e-3;
};

// Training: writes mean [c] and rstd [c] = 1 / sqrt(var + epsilon) of the batch, y = (x - mean) * rstd *
// gamma + beta.
template <class T>
void batch_norm_forward(Reference, const BatchNormShape& shape, const T* x, const Master<T>* gamma,
                        const Master<T>* beta, T* y, Master<T>* mean, Master<T>* rstd);
template <class T>
void batch_norm_forward(Cpu, const BatchNormShape& shape, const T* x, const Master<T>* gamma,
                        const Master<T>* beta, T* y, Master<T>* mean, Master<T>* rstd);
template <class T>
void batch_norm_forward(Cuda, const BatchNormShape& shape, const T* x, const Master<T>* gamma,
                        const Master<T>* beta, T* y, Master<T>* mean, Master<T>* rstd);

// Backward through the batch statistics.
template <class T>
void batch_norm_backward(Reference, const BatchNormShape& shape, const T* x, const T* dy,
                         const Master<T>* gamma, const Master<T>* mean, const Master<T>* rstd, T* dx,
                         Master<T>* dgamma, Master<T>* dbeta);
template <class T>
void batch_norm_backward(Cpu, const BatchNormShape& shape, const T* x, const T* dy, const Master<T>* gamma,
                         const Master<T>* mean, const Master<T>* rstd, T* dx, Master<T>* dgamma,
                         Master<T>* dbeta);
template <class T>
void batch_norm_backward(Cuda, const BatchNormShape& shape, const T* x, const T* dy, const Master<T>* gamma,
                         const Master<T>* mean, const Master<T>* rstd, T* dx, Master<T>* dgamma,
                         Master<T>* dbeta);

// Inference: mean and variance [c] are given and constant.
template <class T>
void batch_norm_inference_forward(Reference, const BatchNormShape& shape, const T* x, const Master<T>* gamma,
                                  const Master<T>* beta, const Master<T>* mean, const Master<T>* variance,
                                  T* y);
template <class T>
void batch_norm_inference_forward(Cpu, const BatchNormShape& shape, const T* x, const Master<T>* gamma,
                                  const Master<T>* beta, const Master<T>* mean, const Master<T>* variance,
                                  T* y);
template <class T>
void batch_norm_inference_forward(Cuda, const BatchNormShape& shape, const T* x, const Master<T>* gamma,
                                  const Master<T>* beta, const Master<T>* mean, const Master<T>* variance,
                                  T* y);

template <class T>
void batch_norm_inference_backward(Reference, const BatchNormShape& shape, const T* x, const T* dy,
                                   const Master<T>* gamma, const Master<T>* mean, const Master<T>* variance,
                                   T* dx, Master<T>* dgamma, Master<T>* dbeta);
template <class T>
void batch_norm_inference_backward(Cpu, const BatchNormShape& shape, const T* x, const T* dy,
                                   const Master<T>* gamma, const Master<T>* mean, const Master<T>* variance,
                                   T* dx, Master<T>* dgamma, Master<T>* dbeta);
template <class T>
void batch_norm_inference_backward(Cuda, const BatchNormShape& shape, const T* x, const T* dy,
                                   const Master<T>* gamma, const Master<T>* mean, const Master<T>* variance,
                                   T* dx, Master<T>* dgamma, Master<T>* dbeta);

// Running statistics of training, momentum as in Keras: running = momentum * running + (1 - momentum) *
// batch. The batch's variance is recovered from rstd.
template <class T>
void batch_norm_update(Reference, const BatchNormShape& shape, double momentum, const T* mean, const T* rstd,
                       T* running_mean, T* running_variance);
template <class T>
void batch_norm_update(Cpu, const BatchNormShape& shape, double momentum, const T* mean, const T* rstd,
                       T* running_mean, T* running_variance);
template <class T>
void batch_norm_update(Cuda, const BatchNormShape& shape, double momentum, const T* mean, const T* rstd,
                       T* running_mean, T* running_variance);

}  // namespace roentgen::kernels

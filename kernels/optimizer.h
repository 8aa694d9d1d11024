// Optimiser steps over flat buffers, T float or double.
#pragma once

#include <cstdint>

#include "kernels/device.h"
#include "kernels/dtype.h"

namespace roentgen::kernels {

struct AdamStep {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7;
  double weight_decay = 0;  // decoupled: w -= lr * weight_decay * w first (Loshchilov and Hutter 2019)
  std::int64_t step = 1;    // counts from 1
  // false, as Keras: w -= lr sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon).
  // true, as PyTorch: epsilon is added to sqrt(v / (1 - beta2^t)).
  bool epsilon_after_correction = false;
};

// Kingma and Ba 2015 over n flat parameters: m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2.
// low_precision [n] or null receives the new weights in bfloat16.
template <class T>
void adam_step(Reference, const AdamStep& step, const T* gradient, T* w, T* m, T* v, bfloat16* low_precision,
               std::int64_t n);
template <class T>
void adam_step(Cpu, const AdamStep& step, const T* gradient, T* w, T* m, T* v, bfloat16* low_precision,
               std::int64_t n);
template <class T>
void adam_step(Cuda, const AdamStep& step, const T* gradient, T* w, T* m, T* v, bfloat16* low_precision,
               std::int64_t n);

struct SgdStep {
  double lr = 1e-2, momentum = 0, weight_decay = 0;  // weight_decay is added to the gradient
  bool nesterov = false;
};

// As Keras: velocity = momentum * velocity - lr * g; w += velocity, with Nesterov w += momentum * velocity -
// lr * g. velocity may be null where momentum is 0.
template <class T>
void sgd_step(Reference, const SgdStep& step, const T* gradient, T* w, T* velocity, bfloat16* low_precision,
              std::int64_t n);
template <class T>
void sgd_step(Cpu, const SgdStep& step, const T* gradient, T* w, T* velocity, bfloat16* low_precision,
              std::int64_t n);
template <class T>
void sgd_step(Cuda, const SgdStep& step, const T* gradient, T* w, T* velocity, bfloat16* low_precision,
              std::int64_t n);

}  // namespace roentgen::kernels

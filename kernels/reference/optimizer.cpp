#include "kernels/optimizer.h"

#include <cmath>

namespace roentgen::kernels {

template <class T>
void adam_step(Reference, const AdamStep& step, const T* gradient, T* w, T* m, T* v, bfloat16* low_precision,
               std::int64_t n) {
  const double t = static_cast<double>(step.step);
  const double correction1 = 1 - std::pow(step.beta1, t), correction2 = 1 - std::pow(step.beta2, t);
  for (std::int64_t i = 0; i < n; ++i) {
    const double g = static_cast<double>(gradient[i]);
    double weight = static_cast<double>(w[i]);
    weight -= step.lr * step.weight_decay * weight;
    const double first = step.beta1 * static_cast<double>(m[i]) + (1 - step.beta1) * g;
    const double second = step.beta2 * static_cast<double>(v[i]) + (1 - step.beta2) * g * g;
    if (step.epsilon_after_correction)
      weight -= step.lr * (first / correction1) / (std::sqrt(second / correction2) + step.epsilon);
    else
      weight -= step.lr * std::sqrt(correction2) / correction1 * first / (std::sqrt(second) + step.epsilon);
    m[i] = static_cast<T>(first);
    v[i] = static_cast<T>(second);
    w[i] = static_cast<T>(weight);
    if (low_precision) low_precision[i] = bfloat16(w[i]);
  }
}

template <class T>
void sgd_step(Reference, const SgdStep& step, const T* gradient, T* w, T* velocity, bfloat16* low_precision,
              std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const double weight = static_cast<double>(w[i]);
    const double g = static_cast<double>(gradient[i]) + step.weight_decay * weight;
    const double before = velocity ? static_cast<double>(velocity[i]) : 0;
    const double after = step.momentum * before - step.lr * g;
    w[i] = static_cast<T>(weight + (step.nesterov ? step.momentum * after - step.lr * g : after));
    if (velocity) velocity[i] = static_cast<T>(after);
    if (low_precision) low_precision[i] = bfloat16(w[i]);
  }
}

#define ROENTGEN_INSTANTIATE(T)                                                                       \
  template void adam_step(Reference, const AdamStep&, const T*, T*, T*, T*, bfloat16*, std::int64_t); \
  template void sgd_step(Reference, const SgdStep&, const T*, T*, T*, bfloat16*, std::int64_t);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(double)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

// One pass over weights, gradient and state: both steps are bound by memory, so each value moves once.
#include "kernels/optimizer.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "kernels/cpu/parallel.h"

namespace roentgen::kernels {
namespace {

constexpr std::int64_t grain = 1 << 15;  // 128 KB of each array: a few tasks per core, even for small layers

// What a step multiplies by, rounded to float once.
struct AdamFactors {
  float beta1, rest1, beta2, rest2, rate, epsilon, root, decay;

  explicit AdamFactors(const AdamStep& s) {
    const double t = static_cast<double>(s.step);
    const double correction1 = 1 - std::pow(s.beta1, t), correction2 = 1 - std::pow(s.beta2, t);
    beta1 = static_cast<float>(s.beta1);
    rest1 = static_cast<float>(1 - s.beta1);
    beta2 = static_cast<float>(s.beta2);
    rest2 = static_cast<float>(1 - s.beta2);
    epsilon = static_cast<float>(s.epsilon);
    // m / (sqrt(v / c2) + epsilon) / c1 or sqrt(c2) / c1 * m / (sqrt(v) + epsilon)
    root = s.epsilon_after_correction ? static_cast<float>(1 / std::sqrt(correction2)) : 1.0f;
    rate = static_cast<float>(s.lr / correction1 * (s.epsilon_after_correction ? 1 : std::sqrt(correction2)));
    decay = static_cast<float>(1 - s.lr * s.weight_decay);
  }
};

template <bool with_copy>
void adam_range(const AdamFactors& f, const float* __restrict g, float* __restrict w, float* __restrict m,
                float* __restrict v, bfloat16* __restrict copy, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float m1 = f.beta1 * m[i] + f.rest1 * g[i];
    const float v1 = f.beta2 * v[i] + f.rest2 * g[i] * g[i];
    const float w1 = f.decay * w[i] - f.rate * m1 / (f.root * std::sqrt(v1) + f.epsilon);
    m[i] = m1;
    v[i] = v1;
    w[i] = w1;
    if constexpr (with_copy) copy[i] = bfloat16(w1);
  }
}

template <bool with_velocity, bool with_copy>
void sgd_range(const SgdStep& s, const float* __restrict g, float* __restrict w, float* __restrict velocity,
               bfloat16* __restrict copy, std::int64_t n) {
  const float lr = static_cast<float>(s.lr), momentum = static_cast<float>(s.momentum);
  const float decay = static_cast<float>(s.weight_decay);
  for (std::int64_t i = 0; i < n; ++i) {
    const float step = lr * (g[i] + decay * w[i]);
    float change = -step;
    if constexpr (with_velocity) {
      change = momentum * velocity[i] - step;
      velocity[i] = change;
      if (s.nesterov) change = momentum * change - step;
    }
    const float w1 = w[i] + change;
    w[i] = w1;
    if constexpr (with_copy) copy[i] = bfloat16(w1);
  }
}

}  // namespace

template <>
void adam_step<float>(Cpu, const AdamStep& step, const float* gradient, float* w, float* m, float* v,
                      bfloat16* low_precision, std::int64_t n) {
  const AdamFactors factors(step);
  parallel_ranges(n, grain, [&](std::int64_t begin, std::int64_t end) {
    if (low_precision)
      adam_range<true>(factors, gradient + begin, w + begin, m + begin, v + begin, low_precision + begin,
                       end - begin);
    else
      adam_range<false>(factors, gradient + begin, w + begin, m + begin, v + begin, nullptr, end - begin);
  });
}

template <>
void sgd_step<float>(Cpu, const SgdStep& step, const float* gradient, float* w, float* velocity,
                     bfloat16* low_precision, std::int64_t n) {
  parallel_ranges(n, grain, [&](std::int64_t begin, std::int64_t end) {
    const auto run = [&](auto with_velocity, auto with_copy) {
      sgd_range<with_velocity, with_copy>(step, gradient + begin, w + begin,
                                          with_velocity ? velocity + begin : nullptr,
                                          with_copy ? low_precision + begin : nullptr, end - begin);
    };
    const auto pick_copy = [&](auto with_velocity) {
      low_precision ? run(with_velocity, std::true_type{}) : run(with_velocity, std::false_type{});
    };
    velocity ? pick_copy(std::true_type{}) : pick_copy(std::false_type{});
  });
}

}  // namespace roentgen::kernels

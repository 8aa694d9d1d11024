// One pass over weights, gradient and state: bound by memory, so each value moves once, four at a time.
#include "kernels/optimizer.h"

#include <cmath>

#include "kernels/cuda/numeric.h"

namespace roentgen::kernels {
namespace {

// What a step multiplies by, rounded to float once.
struct Adam {
  float beta1, rest1, beta2, rest2, rate, epsilon, root, decay;

  explicit Adam(const AdamStep& s) {
    const double t = static_cast<double>(s.step);
    const double correction1 = 1 - std::pow(s.beta1, t), correction2 = 1 - std::pow(s.beta2, t);
    beta1 = static_cast<float>(s.beta1);
    rest1 = static_cast<float>(1 - s.beta1);
    beta2 = static_cast<float>(s.beta2);
    rest2 = static_cast<float>(1 - s.beta2);
    epsilon = static_cast<float>(s.epsilon);
    root = s.epsilon_after_correction ? static_cast<float>(1 / std::sqrt(correction2)) : 1.0f;
    rate = static_cast<float>(s.lr / correction1 * (s.epsilon_after_correction ? 1 : std::sqrt(correction2)));
    decay = static_cast<float>(1 - s.lr * s.weight_decay);
  }
  __device__ void operator()(float g, float& w, float& m, float& v) const {
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * g * g;
    w = decay * w - rate * m / (root * sqrtf(v) + epsilon);
  }
};

struct Sgd {
  float lr, momentum, decay;
  bool nesterov;

  explicit Sgd(const SgdStep& s)
      : lr(static_cast<float>(s.lr)),
        momentum(static_cast<float>(s.momentum)),
        decay(static_cast<float>(s.weight_decay)),
        nesterov(s.nesterov) {}
  __device__ void operator()(float g, float& w, float& velocity) const {
    const float step = lr * (g + decay * w);
    velocity = momentum * velocity - step;
    w += nesterov ? momentum * velocity - step : velocity;
  }
  __device__ void operator()(float g, float& w) const {
    const float step = lr * (g + decay * w);
    w -= nesterov ? (1 + momentum) * step : step;
  }
};

// rule(g, w, state...) on `width` neighbours at a time, the last n % width one by one. low may be null.
template <int width, class Rule, class... State>
__global__ void __launch_bounds__(block_threads)
    step_kernel(Rule rule, std::int64_t n, const float* gradient, bfloat16* low, float* w, State*... state) {
  const std::int64_t first = thread_number(), step = thread_count(), packs = n / width;
  for (std::int64_t i = first; i < packs; i += step) {
    const auto at = i * width;
    const auto apply = [&](Pack<float, width> weights, Pack<State, width>... states) {
      const Pack<float, width> g = load_pack<float, width>(gradient + at);
#pragma unroll
      for (int j = 0; j < width; ++j) rule(g.at[j], weights.at[j], states.at[j]...);
      store_pack<float, width>(w + at, weights);
      (store_pack<State, width>(state + at, states), ...);
      if (low) {
        Pack<bfloat16, width> rounded;
#pragma unroll
        for (int j = 0; j < width; ++j) rounded.at[j] = narrow<bfloat16>(weights.at[j]);
        store_pack<bfloat16, width>(low + at, rounded);
      }
    };
    apply(load_pack<float, width>(w + at), load_pack<State, width>(state + at)...);
  }
  for (std::int64_t i = packs * width + first; i < n; i += step) {
    rule(gradient[i], w[i], state[i]...);
    if (low) low[i] = narrow<bfloat16>(w[i]);
  }
}

template <class Rule, class... State>
void run(Cuda device, const Rule& rule, std::int64_t n, const float* gradient, bfloat16* low, float* w,
         State*... state) {
  if (n == 0) return;
  const bool wide = aligned<4>(gradient, low, w, state...);
  const auto kernel = wide ? step_kernel<4, Rule, State...> : step_kernel<1, Rule, State...>;
  launch(device, kernel, blocks_for(wide ? divide_up(n, 4) : n), block_threads, rule, n, gradient, low, w,
         state...);
}

}  // namespace

template <>
void adam_step<float>(Cuda device, const AdamStep& step, const float* gradient, float* w, float* m, float* v,
                      bfloat16* low_precision, std::int64_t n) {
  run(device, Adam(step), n, gradient, low_precision, w, m, v);
}

template <>
void sgd_step<float>(Cuda device, const SgdStep& step, const float* gradient, float* w, float* velocity,
                     bfloat16* low_precision, std::int64_t n) {
  if (velocity)
    run(device, Sgd(step), n, gradient, low_precision, w, velocity);
  else
    run(device, Sgd(step), n, gradient, low_precision, w);
}

}  // namespace roentgen::kernels

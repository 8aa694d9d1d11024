#include "engine/optimizer.h"

#include <cmath>

#include "engine/check.h"
#include "engine/dispatch.h"
#include "kernels/elementwise.h"
#include "kernels/optimizer.h"
#include "kernels/reduce.h"

namespace roentgen::engine {

void Optimizer::step(double lr) {
  require(std::isfinite(lr) && lr >= 0, "optimizer: takes a learning rate of 0 or more, not {}", lr);
  update(lr, steps_ + 1);
  ++steps_;
}

void Optimizer::set_steps(std::int64_t steps) {
  require(steps >= 0, "optimizer: cannot have taken {} steps", steps);
  steps_ = steps;
}

Tensor Optimizer::zeros_like_values() const {
  const Tensor& values = parameters_.values();
  require(values.defined(), "optimizer: there are no parameters");
  return Tensor::zeros(values.shape(), values.dtype(), values.device());
}

Adam::Adam(const Parameters& parameters, const AdamOptions& options)
    : Optimizer(parameters), options_(options), m_(zeros_like_values()), v_(zeros_like_values()) {
  require(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1 &&
              options.epsilon > 0,
          "adam: takes beta1 and beta2 in [0, 1) and epsilon above 0, not {}, {} and {}", options.beta1,
          options.beta2, options.epsilon);
}

std::vector<NamedTensor> Adam::state() const {
  std::vector<NamedTensor> named = parameters_.windows(m_, kind() + ".m.");
  for (NamedTensor& v : parameters_.windows(v_, kind() + ".v.")) named.push_back(std::move(v));
  return named;
}

void Adam::update(double lr, std::int64_t step) {
  const Tensor& values = parameters_.values();
  const Tensor& gradients = parameters_.gradients();
  const kernels::AdamStep adam{.lr = lr,
                               .beta1 = options_.beta1,
                               .beta2 = options_.beta2,
                               .epsilon = options_.epsilon,
                               .weight_decay = weight_decay_,
                               .step = step,
                               .epsilon_after_correction = options_.epsilon_after_correction};
  dispatch_master("adam", values, [&]<class T>(auto device, T) {
    kernels::adam_step(device, adam, gradients.data<T>(), values.data<T>(), m_.data<T>(), v_.data<T>(),
                       nullptr, values.size());
  });
}

AdamW::AdamW(const Parameters& parameters, double weight_decay, const AdamOptions& options)
    : Adam(parameters, options) {
  require(weight_decay >= 0, "adamw: takes a weight decay of 0 or more, not {}", weight_decay);
  weight_decay_ = weight_decay;
}

Sgd::Sgd(const Parameters& parameters, const SgdOptions& options) : Optimizer(parameters), options_(options) {
  require(options.momentum >= 0 && options.momentum < 1 && options.weight_decay >= 0,
          "sgd: takes momentum in [0, 1) and a weight decay of 0 or more, not {} and {}", options.momentum,
          options.weight_decay);
  if (options.momentum > 0) velocity_ = zeros_like_values();
}

std::vector<NamedTensor> Sgd::state() const {
  if (!velocity_.defined()) return {};
  return parameters_.windows(velocity_, "sgd.velocity.");
}

void Sgd::update(double lr, std::int64_t) {
  const Tensor& values = parameters_.values();
  const Tensor& gradients = parameters_.gradients();
  const kernels::SgdStep sgd{.lr = lr,
                             .momentum = options_.momentum,
                             .weight_decay = options_.weight_decay,
                             .nesterov = options_.nesterov};
  dispatch_master("sgd", values, [&]<class T>(auto device, T) {
    kernels::sgd_step(device, sgd, gradients.data<T>(), values.data<T>(),
                      velocity_.defined() ? velocity_.data<T>() : nullptr, nullptr, values.size());
  });
}

double clip_gradient_norm(const Parameters& parameters, double max_norm) {
  require(max_norm > 0, "clip_gradient_norm: takes a norm above 0, not {}", max_norm);
  const Tensor& gradients = parameters.gradients();
  double norm = 0;
  dispatch_master("clip_gradient_norm", gradients, [&]<class T>(auto device, T) {
    norm = std::sqrt(kernels::sum_of_squares(device, gradients.data<T>(), gradients.size()));
    if (norm > max_norm && std::isfinite(norm)) {
      kernels::scale(device, gradients.data<T>(), gradients.data<T>(), gradients.size(), max_norm / norm);
    }
  });
  return norm;
}

void clip_gradient_value(const Parameters& parameters, double limit) {
  require(limit > 0, "clip_gradient_value: takes a limit above 0, not {}", limit);
  const Tensor& gradients = parameters.gradients();
  dispatch_master("clip_gradient_value", gradients, [&]<class T>(auto device, T) {
    kernels::clamp(device, gradients.data<T>(), gradients.data<T>(), gradients.size(), -limit, limit);
  });
}

}  // namespace roentgen::engine

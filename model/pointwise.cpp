// Layers that keep or only rename the shape: Flatten, Dropout, BatchNormalization, Activation.
#include <nlohmann/json.hpp>

#include "engine/check.h"
#include "model/layers.h"

namespace roentgen::model {

Shape Flatten::output_shape(const Shape& input) const {
  return {engine::element_count(input)};
}

Tensor Flatten::forward(const Tensor& x, const Context&) const {
  return engine::flatten(x);
}

nlohmann::json Flatten::config() const {
  return {{"kind", kind()}};
}

Dropout::Dropout(double rate) : rate_(rate) {
  engine::require(rate >= 0 && rate < 1, "Dropout: the rate is at least 0 and below 1, not {}", rate);
}

engine::RandomKey Dropout::key(const Context& context) const {
  return {.seed = context.seed,
          .purpose = kernels::Purpose::dropout,
          .stream = number(),
          .step = context.step,
          .counter = context.counter};
}

Tensor Dropout::forward(const Tensor& x, const Context& context) const {
  const double rate = rate_in(context);
  return rate > 0 ? engine::dropout(x, rate, key(context)) : x;
}

nlohmann::json Dropout::config() const {
  return {{"kind", kind()}, {"rate", rate_}};
}

BatchNormalization::BatchNormalization(double momentum, double epsilon)
    : momentum_(momentum), epsilon_(epsilon) {
  engine::require(momentum >= 0 && momentum <= 1, "BatchNormalization: momentum is 0 to 1, not {}", momentum);
  engine::require(epsilon > 0 && epsilon < 1, "BatchNormalization: epsilon is above 0 and below 1, not {}",
                  epsilon);
}

Shape BatchNormalization::output_shape(const Shape& input) const {
  engine::require(!input.empty(), "BatchNormalization {}: takes [..., c], not a scalar", full_name());
  return input;
}

std::vector<ParameterSpec> BatchNormalization::parameters(const Shape& input) const {
  const Shape channels{input.back()};
  return {{"gamma", channels, Initializer::ones},
          {"beta", channels},
          {"moving_mean", channels, Initializer::zeros, false},
          {"moving_variance", channels, Initializer::ones, false}};
}

void BatchNormalization::bind(std::span<const Tensor>& tensors) {
  gamma_ = take(tensors);
  beta_ = take(tensors);
  mean_ = take(tensors);
  variance_ = take(tensors);
}

Tensor BatchNormalization::forward(const Tensor& x, const Context& context) const {
  return engine::batch_norm(x, gamma_, beta_, mean_, variance_,
                            {.epsilon = epsilon_, .momentum = momentum_, .training = context.training});
}

nlohmann::json BatchNormalization::config() const {
  return {{"kind", kind()}, {"momentum", momentum_}, {"epsilon", epsilon_}};
}

Tensor ActivationLayer::forward(const Tensor& x, const Context&) const {
  return apply(activation_, x);
}

Tensor ActivationLayer::logits(const Tensor& x, const Context& context) const {
  return ends_in_softmax() ? x : forward(x, context);
}

nlohmann::json ActivationLayer::config() const {
  return {{"kind", kind()}, {"activation", to_string(activation_)}};
}

}  // namespace roentgen::model

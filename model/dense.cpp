#include <nlohmann/json.hpp>

#include "engine/check.h"
#include "model/layers.h"

namespace roentgen::model {

Dense::Dense(std::int64_t units, Activation activation, Initializer initializer)
    : units_(units), activation_(activation), initializer_(initializer) {
  engine::require(units >= 1 && units <= 1 << 24, "Dense: takes 1 to 16777216 units, not {}", units);
}

Shape Dense::output_shape(const Shape& input) const {
  engine::require(!input.empty(), "Dense {}: takes [..., in], not a scalar", full_name());
  Shape output = input;
  output.back() = units_;
  return output;
}

std::vector<ParameterSpec> Dense::parameters(const Shape& input) const {
  return {{"weight", {units_, input.back()}, initializer_}, {"bias", {units_}}};
}

void Dense::bind(std::span<const Tensor>& tensors) {
  weight_ = take(tensors);
  bias_ = take(tensors);
}

Tensor Dense::forward(const Tensor& x, const Context&) const {
  return apply(activation_, engine::linear(x, weight_, bias_));
}

Tensor Dense::logits(const Tensor& x, const Context& context) const {
  return ends_in_softmax() ? engine::linear(x, weight_, bias_) : forward(x, context);
}

Tensor Dense::forward_block(const Tensor& x, double rate, const engine::RandomKey& key) const {
  return engine::linear_block(x, weight_, bias_, rate, key);
}

nlohmann::json Dense::config() const {
  return {{"kind", kind()},
          {"units", units_},
          {"activation", to_string(activation_)},
          {"initializer", to_string(initializer_)}};
}

}  // namespace roentgen::model

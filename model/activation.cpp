#include "model/activation.h"

#include <stdexcept>
#include <utility>

#include "engine/ops.h"

namespace roentgen::model {
namespace {

constexpr std::pair<Activation, std::string_view> names[] = {
    {Activation::linear, "linear"},   {Activation::relu, "relu"}, {Activation::leaky_relu, "leaky_relu"},
    {Activation::sigmoid, "sigmoid"}, {Activation::tanh, "tanh"}, {Activation::gelu, "gelu"},
    {Activation::softmax, "softmax"},
};

}  // namespace

std::string to_string(Activation activation) {
  for (const auto& [value, name] : names) {
    if (value == activation) return std::string(name);
  }
  throw std::logic_error("to_string: no such activation");
}

Activation parse_activation(std::string_view text) {
  for (const auto& [value, name] : names) {
    if (name == text) return value;
  }
  throw std::invalid_argument("activation: none is named '" + std::string(text) + "'");
}

engine::Tensor apply(Activation activation, const engine::Tensor& x) {
  switch (activation) {
    case Activation::linear:
      return x;
    case Activation::relu:
      return engine::relu(x);
    case Activation::leaky_relu:
      return engine::leaky_relu(x, 0.2);
    case Activation::sigmoid:
      return engine::sigmoid(x);
    case Activation::tanh:
      return engine::tanh(x);
    case Activation::gelu:
      return engine::gelu(x);
    case Activation::softmax:
      return engine::softmax(x);
  }
  throw std::logic_error("apply: no such activation");
}

}  // namespace roentgen::model

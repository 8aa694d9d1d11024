#include <nlohmann/json.hpp>

#include "engine/check.h"
#include "model/layers.h"

namespace roentgen::model {

Residual::Residual(Chain main, Chain shortcut, Activation activation)
    : main_(std::move(main)), shortcut_(std::move(shortcut)), activation_(activation) {}

Shape Residual::output_shape(const Shape& input) const {
  const Shape main = main_.output_shape(input), shortcut = shortcut_.output_shape(input);
  engine::require(main == shortcut, "Residual {}: the main path ends in {} and the shortcut in {}",
                  full_name(), engine::to_string(main), engine::to_string(shortcut));
  return main;
}

std::vector<ParameterSpec> Residual::parameters(const Shape& input) const {
  std::vector<ParameterSpec> specs;
  for (const auto& [path, name] : {std::pair{&main_, "main."}, std::pair{&shortcut_, "shortcut."}}) {
    for (ParameterSpec& spec : path->parameters(input)) {
      spec.name = name + spec.name;
      specs.push_back(std::move(spec));
    }
  }
  return specs;
}

void Residual::bind(std::span<const Tensor>& tensors) {
  main_.bind(tensors);
  shortcut_.bind(tensors);
}

void Residual::name(const std::string& full_name, std::uint32_t& next_number) {
  Layer::name(full_name, next_number);
  main_.name(full_name + ".main.", next_number);
  shortcut_.name(full_name + ".shortcut.", next_number);
}

Tensor Residual::forward(const Tensor& x, const Context& context) const {
  return apply(activation_, engine::add(main_.forward(x, context), shortcut_.forward(x, context)));
}

nlohmann::json Residual::config() const {
  return {{"kind", kind()},
          {"main", main_.config()},
          {"shortcut", shortcut_.config()},
          {"activation", to_string(activation_)}};
}

}  // namespace roentgen::model

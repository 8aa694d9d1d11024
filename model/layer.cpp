#include "model/layer.h"

namespace roentgen::model {

std::vector<ParameterSpec> Layer::parameters(const Shape&) const {
  return {};
}

void Layer::bind(std::span<const Tensor>&) {}

void Layer::name(const std::string& full_name, std::uint32_t& next_number) {
  full_name_ = full_name;
  number_ = next_number++;
}

Tensor take(std::span<const Tensor>& tensors) {
  const Tensor first = tensors.front();
  tensors = tensors.subspan(1);
  return first;
}

}  // namespace roentgen::model

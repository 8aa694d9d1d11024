#include "engine/parameters.h"

#include "engine/check.h"
#include "engine/dispatch.h"
#include "kernels/memory.h"

namespace roentgen::engine {

Parameters::Parameters(const std::vector<Spec>& specs, DType dtype, const Device& device) {
  require(dtype == DType::float32 || dtype == DType::float64,
          "parameters: are float32 or float64, not {}; ops lower them to bfloat16 themselves",
          to_string(dtype));
  const auto alignment = static_cast<std::int64_t>(64 / size_of(dtype));
  std::int64_t size = 0;
  for (const Spec& spec : specs) {
    require(index_.emplace(spec.name, offsets_.size()).second, "parameters: two are named '{}'", spec.name);
    const std::int64_t elements = element_count(spec.shape);
    offsets_.push_back(size);
    count_ += elements;
    size += (elements + alignment - 1) / alignment * alignment;
  }
  values_ = Tensor::zeros({size}, dtype, device);
  gradients_ = Tensor::zeros({size}, dtype, device);
  for (std::size_t i = 0; i < specs.size(); ++i) {
    Tensor leaf = values_.window(offsets_[i], specs[i].shape);
    leaf.collect_gradient(gradients_.window(offsets_[i], specs[i].shape));
    parameters_.push_back({specs[i].name, std::move(leaf)});
  }
}

const Tensor& Parameters::at(const std::string& name) const {
  const auto found = index_.find(name);
  require(found != index_.end(), "parameters: none is named '{}'", name);
  return parameters_[found->second].tensor;
}

const Tensor& Parameters::gradients() const {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& leaf = parameters_[i].tensor;
    if (leaf.grad().defined()) continue;
    const Tensor stale = gradients_.window(offsets_[i], leaf.shape());
    on(stale.device(), [&](auto device) { kernels::zero(device, stale.raw(), stale.bytes()); });
  }
  return gradients_;
}

std::vector<NamedTensor> Parameters::windows(const Tensor& flat, const std::string& prefix) const {
  require(flat.shape() == values_.shape(), "parameters: flat tensor of shape {} where {} is laid out",
          to_string(flat.shape()), to_string(values_.shape()));
  std::vector<NamedTensor> result;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    result.push_back({prefix + parameters_[i].name, flat.window(offsets_[i], parameters_[i].tensor.shape())});
  }
  return result;
}

void Parameters::clear_gradients() const {
  for (const NamedTensor& parameter : parameters_) parameter.tensor.clear_grad();
}

}  // namespace roentgen::engine

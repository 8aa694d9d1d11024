#include "model/sequential.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engine/check.h"
#include "engine/nonfinite.h"
#include "engine/tape.h"
#include "model/error.h"

namespace roentgen::model {

Sequential::Sequential(Shape input, Chain layers) : input_(std::move(input)), layers_(std::move(layers)) {
  name_layers();
}

Sequential& Sequential::add(std::unique_ptr<Layer> layer) {
  engine::require(!built_, "Sequential: a layer was added after build()");
  layers_.add(std::move(layer));
  name_layers();
  return *this;
}

void Sequential::name_layers() {
  std::uint32_t number = 0;
  layers_.name("", number);
}

std::int64_t Sequential::parameter_count(bool trainable_only) const {
  std::int64_t count = 0;
  for (const ParameterSpec& spec : parameter_specs()) {
    if (spec.trainable || !trainable_only) count += engine::element_count(spec.shape);
  }
  return count;
}

void Sequential::build(const engine::Device& device, engine::DType dtype, std::uint64_t seed) {
  engine::require(
      dtype == engine::DType::float32 || dtype == engine::DType::float64 || dtype == engine::DType::bfloat16,
      "Sequential: activations are floating, not {}", engine::to_string(dtype));
  const std::vector<ParameterSpec> specs = parameter_specs();
  std::vector<engine::Parameters::Spec> trainable;
  for (const ParameterSpec& spec : specs) {
    if (spec.trainable) trainable.push_back({spec.name, spec.shape});
  }
  const engine::DType master = engine::master_of(dtype);
  parameters_ = engine::Parameters(trainable, master, device);
  state_.clear();
  statistics_.clear();
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const ParameterSpec& spec = specs[i];
    const Tensor tensor = spec.trainable ? parameters_.at(spec.name) : Tensor(spec.shape, master, device);
    initialise(tensor, spec.initializer, seed, static_cast<std::uint32_t>(i));
    tensors.push_back(tensor);
    state_.push_back({spec.name, tensor});
    if (!spec.trainable) statistics_.push_back({spec.name, tensor});
  }
  std::span<const Tensor> rest(tensors);
  layers_.bind(rest);
  device_ = device;
  dtype_ = dtype;
  built_ = true;
}

Tensor Sequential::forward(const Tensor& x, const Context& context) const {
  engine::require(built_, "Sequential: forward() before build()");
  Shape expected = input_;
  expected.insert(expected.begin(), x.rank() > 0 ? x.dim(0) : 0);
  engine::require(x.defined() && x.shape() == expected && x.device() == device_,
                  "Sequential: takes [n, {}] on {}, not {} on {}", fmt::join(input_, ", "),
                  engine::to_string(device_), engine::to_string(x.shape()), engine::to_string(x.device()));
  Context inner = context;
  inner.fuse = fuse_ && context.fuse;
  return layers_.logits(engine::cast(x, dtype_), inner);
}

Tensor Sequential::probabilities(const Tensor& x) const {
  const engine::NoGrad no_grad;
  return engine::softmax(engine::cast(forward(x, {}), engine::master_of(dtype_)));
}

std::string NonFinite::message() const {
  return fmt::format("{} is {} at {}", what, value, engine::to_string(index));
}

namespace {

std::optional<NonFinite> check_finite(const std::string& what, const Tensor& tensor) {
  const std::optional<std::int64_t> offset = engine::first_nonfinite(tensor);
  if (!offset) return std::nullopt;
  NonFinite found{.what = what, .index = tensor.shape()};
  std::int64_t rest = *offset;
  for (std::size_t axis = found.index.size(); axis-- > 0;) {
    const std::int64_t extent = found.index[axis];
    found.index[axis] = rest % extent;
    rest /= extent;
  }
  found.value = tensor.detach().window(*offset, {1}).to_doubles().front();
  return found;
}

}  // namespace

std::optional<NonFinite> Sequential::locate_nonfinite(const Tensor& x, const Context& context) const {
  const engine::NoGrad no_grad;
  std::optional<NonFinite> found = check_finite("input", x);
  if (found) return found;

  // A forward pass in training moves the running statistics: put them back afterwards.
  std::vector<Tensor> before;
  for (const NamedTensor& statistic : statistics_) before.push_back(statistic.tensor.clone());
  const std::function<void(const std::string&, const Tensor&)> observer = [&](const std::string& layer,
                                                                              const Tensor& output) {
    for (std::size_t i = 0; i < state_.size() && !found; ++i) {
      const std::string& name = state_[i].name;
      if (name.starts_with(layer + ".")) found = check_finite("parameter " + name, state_[i].tensor);
    }
    if (!found) found = check_finite("output of " + layer, output);
  };
  Context inner = context;
  inner.observer = &observer;
  forward(x, inner);
  for (std::size_t i = 0; i < before.size(); ++i) statistics_[i].tensor.copy_from(before[i]);

  for (const NamedTensor& parameter : parameters_.all()) {
    if (found) break;
    const Tensor gradient = parameter.tensor.grad();
    if (gradient.defined()) found = check_finite("gradient of " + parameter.name, gradient);
  }
  return found;
}

nlohmann::json Sequential::config() const {
  return {{"input", input_}, {"layers", layers_.config()}};
}

Sequential Sequential::from_config(const nlohmann::json& config) {
  const auto refuse = [](const std::string& why) { throw CheckpointError("architecture: " + why); };
  if (!config.is_object() || !config.contains("input") || !config.contains("layers")) {
    refuse("input and layers are missing");
  }
  const nlohmann::json& extents = config["input"];
  if (!extents.is_array() || extents.empty() || extents.size() > 4) refuse("the input is not a shape");
  Shape input;
  for (const nlohmann::json& extent : extents) {
    if (!extent.is_number_integer() || extent.get<std::uint64_t>() - 1 >= 1 << 16) {
      refuse("the input's extents are 1 to 65536");
    }
    input.push_back(extent.get<std::int64_t>());
  }
  Sequential net(input, Chain::from_config(config["layers"]));
  try {
    net.parameter_count();
  } catch (const std::invalid_argument& error) {
    refuse(error.what());
  }
  return net;
}

}  // namespace roentgen::model

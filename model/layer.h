// A layer: knows its output's shape, asks for parameters, is given them, and runs. Shapes here leave the
// batch out: [h, w, c] for images, [features] after Flatten.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "engine/ops.h"
#include "model/activation.h"
#include "model/initializer.h"

namespace roentgen::model {

using engine::Shape;
using engine::Tensor;

// How one forward pass runs.
struct Context {
  bool training = false;                   // dropout on, batch norm by the batch's statistics
  std::uint64_t seed = 0;                  // dropout's masks are drawn by (seed, layer, step + *counter)
  std::uint32_t step = 0;                  // training steps so far
  const std::uint32_t* counter = nullptr;  // a step counter in device memory, or null
  bool fuse = true;                        // run fused blocks where layers allow it; same masks either way
  // Where set: called with each layer's name and output, in order; nothing is fused then.
  const std::function<void(const std::string& layer, const Tensor& output)>* observer = nullptr;
};

// What a layer asks for. Statistics (trainable = false) are kept and saved but get no gradient.
struct ParameterSpec {
  std::string name;  // "weight", or dotted within containers: "main.conv1.weight"
  Shape shape;
  Initializer initializer = Initializer::zeros;
  bool trainable = true;
};

class Layer {
 public:
  virtual ~Layer() = default;

  virtual std::string kind() const = 0;    // Keras' class name: "Conv2D"
  virtual std::string prefix() const = 0;  // what its parameters are numbered under: "conv"
  // Throws std::invalid_argument, naming layer and shape, where the input does not fit.
  virtual Shape output_shape(const Shape& input) const = 0;
  virtual std::vector<ParameterSpec> parameters(const Shape& input) const;
  // Takes its tensors, in the order of parameters(), from the front of `tensors`.
  virtual void bind(std::span<const Tensor>& tensors);
  // x [n, input...] to [n, output...].
  virtual Tensor forward(const Tensor& x, const Context& context) const = 0;
  // forward() without a closing softmax, which a loss computes better itself.
  virtual Tensor logits(const Tensor& x, const Context& context) const { return forward(x, context); }
  virtual bool ends_in_softmax() const { return false; }
  // Enough to make the layer again; see layer_from_config.
  virtual nlohmann::json config() const = 0;

  // The layer's full name ("residual1.main.conv1") and its number in the flattened network, which is also its
  // stream of random numbers. A container names what it holds.
  virtual void name(const std::string& full_name, std::uint32_t& next_number);
  const std::string& full_name() const { return full_name_; }
  std::uint32_t number() const { return number_; }

 private:
  std::string full_name_;
  std::uint32_t number_ = 0;
};

// Takes the first tensor off the front: what bind() does for each of a layer's parameters.
Tensor take(std::span<const Tensor>& tensors);

// Makes a layer from config(). The kinds are a closed set: nothing else can be named. Throws CheckpointError
// for an unknown kind, a missing or senseless value, or nesting deeper than 8.
std::unique_ptr<Layer> layer_from_config(const nlohmann::json& config, int depth = 0);

}  // namespace roentgen::model

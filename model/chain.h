// Layers one after the other: what a network is, and each path of a residual block.
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/layer.h"

namespace roentgen::model {

class Chain {
 public:
  template <std::derived_from<Layer>... Layers>
  explicit Chain(Layers... layers) {
    (add(std::move(layers)), ...);
  }

  template <std::derived_from<Layer> L>
  void add(L layer) {
    add(std::make_unique<L>(std::move(layer)));
  }
  void add(std::unique_ptr<Layer> layer);

  const std::vector<std::unique_ptr<Layer>>& layers() const { return layers_; }
  bool empty() const { return layers_.empty(); }

  Shape output_shape(Shape input) const;
  // "conv1", "max_pool1", "conv2", ...: numbered by kind, from 1.
  std::vector<std::string> layer_names() const;
  // All layers' parameters, named "conv1.weight", "conv1.bias", ....
  std::vector<ParameterSpec> parameters(Shape input) const;
  void bind(std::span<const Tensor>& tensors);
  // Names the layers `prefix` + "conv1", ... and numbers them on from next_number.
  void name(const std::string& prefix, std::uint32_t& next_number);

  // Runs Conv2D+relu [-> MaxPooling2D side by side] [-> Dropout] and Dense+relu [-> Dropout] as fused blocks
  // where the context allows it.
  Tensor forward(const Tensor& x, const Context& context) const { return run(x, context, false); }
  // Likewise, leaving out a closing softmax.
  Tensor logits(const Tensor& x, const Context& context) const { return run(x, context, true); }

  nlohmann::json config() const;
  // Throws CheckpointError as layer_from_config.
  static Chain from_config(const nlohmann::json& config, int depth = 0);

 private:
  Tensor run(Tensor x, const Context& context, bool logits) const;
  std::size_t run_block(std::size_t first, Tensor& x, const Context& context) const;

  std::vector<std::unique_ptr<Layer>> layers_;
};

}  // namespace roentgen::model

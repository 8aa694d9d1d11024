// A network of layers, built on a device:
//
//   Sequential net({256, 256, 3}, Conv2D(32, 3, Activation::relu), MaxPooling2D(2), Flatten(),
//                  Dense(3, Activation::softmax));
//   net.build(kernels::Cpu{});
//   Tensor logits = net.forward(images, {.training = true, .seed = 1, .step = step});
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/parameters.h"
#include "model/chain.h"
#include "model/layers.h"

namespace roentgen::model {

using engine::NamedTensor;

// Where a network first went non-finite: what ("output of conv2", "parameter conv1.weight", "gradient of
// dense1.bias", "input"), the element's index in it and its value.
struct NonFinite {
  std::string what;
  Shape index;
  double value = 0;
  std::string message() const;  // "output of conv2 is nan at [3, 0, 1, 7]"
};

class Sequential {
 public:
  // `input` leaves the batch out: [h, w, c].
  template <std::derived_from<Layer>... Layers>
  explicit Sequential(Shape input, Layers... layers)
      : Sequential(std::move(input), Chain(std::move(layers)...)) {}
  Sequential(Shape input, Chain layers);

  template <std::derived_from<Layer> L>
  Sequential& add(L layer) {
    return add(std::make_unique<L>(std::move(layer)));
  }
  Sequential& add(std::unique_ptr<Layer> layer);  // before build()

  const Chain& layers() const { return layers_; }
  const Shape& input_shape() const { return input_; }
  // Throws std::invalid_argument where a layer does not fit the one before it.
  Shape output_shape() const { return layers_.output_shape(input_); }
  std::vector<ParameterSpec> parameter_specs() const { return layers_.parameters(input_); }
  std::int64_t parameter_count(bool trainable_only = false) const;

  // Makes parameters (of master_of(dtype)) and statistics on `device` and initialises them from `seed`.
  // Activations will be of `dtype`.
  void build(const engine::Device& device, engine::DType dtype = engine::DType::float32,
             std::uint64_t seed = 0);
  bool built() const { return built_; }
  const engine::Device& device() const { return device_; }
  engine::DType dtype() const { return dtype_; }

  // x [n, input...], cast to dtype() where it is of another floating type, to LOGITS [n, classes]: a softmax
  // at the end is left to the loss (cross_entropy) or to probabilities().
  Tensor forward(const Tensor& x, const Context& context) const;
  // Softmax of the logits, in float32 or float64; inference, no gradient.
  Tensor probabilities(const Tensor& x) const;
  void fuse(bool on) { fuse_ = on; }  // off: plain ops only

  // Trainable parameters in flat buffers, in the order of the layers.
  const engine::Parameters& parameters() const { return parameters_; }
  // Batch norm's running means and variances.
  const std::vector<NamedTensor>& statistics() const { return statistics_; }
  // Parameters and statistics in the order of the layers: what a weight file holds.
  const std::vector<NamedTensor>& state() const { return state_; }

  // Runs the layers one by one and tells which parameter, output or gradient, in the order of the layers, is
  // the first that is not finite. Changes nothing.
  std::optional<NonFinite> locate_nonfinite(const Tensor& x, const Context& context) const;

  // Keras' table.
  std::string summary(const std::string& title = "sequential") const;

  nlohmann::json config() const;
  // Throws CheckpointError; bounds number, sizes and nesting of the layers.
  static Sequential from_config(const nlohmann::json& config);

 private:
  void name_layers();

  Shape input_;
  Chain layers_;
  engine::Device device_;
  engine::DType dtype_ = engine::DType::float32;
  bool built_ = false, fuse_ = true;
  engine::Parameters parameters_;
  std::vector<NamedTensor> statistics_, state_;
};

}  // namespace roentgen::model

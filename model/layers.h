// The layers, with Keras' names, defaults and meanings. Constructors throw std::invalid_argument for values
// that make no sense.
#pragma once

#include "model/chain.h"
#include "model/layer.h"

namespace roentgen::model {

// valid: no padding. same: output extent ceil(input / stride), the odd row of padding comes after, as in
// Keras.
enum class Padding { valid, same };

// Height and width; one number stands for both.
struct Extent2D {
  std::int64_t h = 1, w = 1;
  Extent2D(std::int64_t both) : h(both), w(both) {}
  Extent2D(std::int64_t height, std::int64_t width) : h(height), w(width) {}
  bool operator==(const Extent2D&) const = default;
};

struct Conv2DOptions {
  Activation activation = Activation::linear;
  Extent2D strides = 1;
  Padding padding = Padding::valid;
  Extent2D dilation = 1;
  bool use_bias = true;
  Initializer initializer = Initializer::glorot_uniform;
};

struct Window;  // model/window.h

// [h, w, c] to [oh, ow, filters]; weight [filters, r, s, c], bias [filters].
class Conv2D : public Layer {
 public:
  Conv2D(std::int64_t filters, Extent2D kernel, const Conv2DOptions& options = {});
  Conv2D(std::int64_t filters, Extent2D kernel, Activation activation)
      : Conv2D(filters, kernel, Conv2DOptions{.activation = activation}) {}

  std::string kind() const override { return "Conv2D"; }
  std::string prefix() const override { return "conv"; }
  Shape output_shape(const Shape& input) const override;
  std::vector<ParameterSpec> parameters(const Shape& input) const override;
  void bind(std::span<const Tensor>& tensors) override;
  Tensor forward(const Tensor& x, const Context& context) const override;
  Tensor logits(const Tensor& x, const Context& context) const override;
  bool ends_in_softmax() const override { return options_.activation == Activation::softmax; }
  nlohmann::json config() const override;

  const Conv2DOptions& options() const { return options_; }
  // Convolution, ReLU, max pooling over pool x pool windows and dropout in one; the activation must be relu.
  Tensor forward_block(const Tensor& x, std::int64_t pool, double rate, const engine::RandomKey& key) const;

 private:
  Tensor convolve(const Tensor& x) const;

  std::int64_t filters_;
  Extent2D kernel_;
  Conv2DOptions options_;
  Tensor weight_, bias_;
};

struct Pooling2DOptions {
  Extent2D strides = 0;  // 0 means the window's own size
  Padding padding = Padding::valid;
};

class Pooling2D : public Layer {
 public:
  Shape output_shape(const Shape& input) const override;
  nlohmann::json config() const override;
  // The side of square windows that lie side by side without padding, else 0.
  std::int64_t tile() const;

 protected:
  Pooling2D(Extent2D pool, const Pooling2DOptions& options);
  Window rows() const;
  Window columns() const;

 private:
  Extent2D pool_, strides_;
  Padding padding_;
};

class MaxPooling2D : public Pooling2D {
 public:
  explicit MaxPooling2D(Extent2D pool = 2, const Pooling2DOptions& options = {}) : Pooling2D(pool, options) {}
  std::string kind() const override { return "MaxPooling2D"; }
  std::string prefix() const override { return "max_pool"; }
  Tensor forward(const Tensor& x, const Context& context) const override;
};

// Padding does not count in the average, as in Keras.
class AveragePooling2D : public Pooling2D {
 public:
  explicit AveragePooling2D(Extent2D pool = 2, const Pooling2DOptions& options = {})
      : Pooling2D(pool, options) {}
  std::string kind() const override { return "AveragePooling2D"; }
  std::string prefix() const override { return "avg_pool"; }
  Tensor forward(const Tensor& x, const Context& context) const override;
};

// [h, w, c] to [c].
class GlobalAveragePooling2D : public Layer {
 public:
  std::string kind() const override { return "GlobalAveragePooling2D"; }
  std::string prefix() const override { return "global_pool"; }
  Shape output_shape(const Shape& input) const override;
  Tensor forward(const Tensor& x, const Context& context) const override;
  nlohmann::json config() const override;
};

// To one axis, in h, w, c order.
class Flatten : public Layer {
 public:
  std::string kind() const override { return "Flatten"; }
  std::string prefix() const override { return "flatten"; }
  Shape output_shape(const Shape& input) const override;
  Tensor forward(const Tensor& x, const Context& context) const override;
  nlohmann::json config() const override;
};

// [in] to [units]; weight [units, in], bias [units].
class Dense : public Layer {
 public:
  explicit Dense(std::int64_t units, Activation activation = Activation::linear,
                 Initializer initializer = Initializer::glorot_uniform);

  std::string kind() const override { return "Dense"; }
  std::string prefix() const override { return "dense"; }
  Shape output_shape(const Shape& input) const override;
  std::vector<ParameterSpec> parameters(const Shape& input) const override;
  void bind(std::span<const Tensor>& tensors) override;
  Tensor forward(const Tensor& x, const Context& context) const override;
  Tensor logits(const Tensor& x, const Context& context) const override;
  bool ends_in_softmax() const override { return activation_ == Activation::softmax; }
  nlohmann::json config() const override;

  Activation activation() const { return activation_; }
  // Dense, ReLU and dropout in one; the activation must be relu.
  Tensor forward_block(const Tensor& x, double rate, const engine::RandomKey& key) const;

 private:
  std::int64_t units_;
  Activation activation_;
  Initializer initializer_;
  Tensor weight_, bias_;
};

// In training zeroes each element with probability `rate` in [0, 1) and divides the others by 1 - rate.
class Dropout : public Layer {
 public:
  explicit Dropout(double rate);
  std::string kind() const override { return "Dropout"; }
  std::string prefix() const override { return "dropout"; }
  Shape output_shape(const Shape& input) const override { return input; }
  Tensor forward(const Tensor& x, const Context& context) const override;
  nlohmann::json config() const override;

  double rate_in(const Context& context) const { return context.training ? rate_ : 0.0; }
  engine::RandomKey key(const Context& context) const;

 private:
  double rate_;
};

// Over all axes but the last; gamma, beta, moving_mean, moving_variance [c].
class BatchNormalization : public Layer {
 public:
  explicit BatchNormalization(double momentum = 0.99, double epsilon = 1e-3);
  std::string kind() const override { return "BatchNormalization"; }
  std::string prefix() const override { return "norm"; }
  Shape output_shape(const Shape& input) const override;
  std::vector<ParameterSpec> parameters(const Shape& input) const override;
  void bind(std::span<const Tensor>& tensors) override;
  Tensor forward(const Tensor& x, const Context& context) const override;
  nlohmann::json config() const override;

 private:
  double momentum_, epsilon_;
  Tensor gamma_, beta_, mean_, variance_;
};

// An activation as a layer of its own, Keras' Activation.
class ActivationLayer : public Layer {
 public:
  explicit ActivationLayer(Activation activation) : activation_(activation) {}
  std::string kind() const override { return "Activation"; }
  std::string prefix() const override { return "activation"; }
  Shape output_shape(const Shape& input) const override { return input; }
  Tensor forward(const Tensor& x, const Context& context) const override;
  Tensor logits(const Tensor& x, const Context& context) const override;
  bool ends_in_softmax() const override { return activation_ == Activation::softmax; }
  nlohmann::json config() const override;

 private:
  Activation activation_;
};

// activation(main(x) + shortcut(x)); an empty shortcut passes x on. Both paths must end in the same shape.
class Residual : public Layer {
 public:
  Residual(Chain main, Chain shortcut = Chain(), Activation activation = Activation::relu);
  std::string kind() const override { return "Residual"; }
  std::string prefix() const override { return "residual"; }
  Shape output_shape(const Shape& input) const override;
  std::vector<ParameterSpec> parameters(const Shape& input) const override;
  void bind(std::span<const Tensor>& tensors) override;
  Tensor forward(const Tensor& x, const Context& context) const override;
  nlohmann::json config() const override;
  void name(const std::string& full_name, std::uint32_t& next_number) override;

 private:
  Chain main_, shortcut_;
  Activation activation_;
};

}  // namespace roentgen::model

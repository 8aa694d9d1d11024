// The activations that a layer can end in.
#pragma once

#include <string>
#include <string_view>

#include "engine/tensor.h"

namespace roentgen::model {

enum class Activation { linear, relu, leaky_relu, sigmoid, tanh, gelu, softmax };

std::string to_string(Activation activation);
// Throws std::invalid_argument for an unknown name.
Activation parse_activation(std::string_view name);

// Same shape. leaky_relu has Keras' slope of 0.2, gelu is the exact one, softmax runs over the last axis.
engine::Tensor apply(Activation activation, const engine::Tensor& x);

}  // namespace roentgen::model

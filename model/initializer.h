// Initial values of parameters, drawn on the host from (seed, stream, element): the same on every device.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/tensor.h"

namespace roentgen::model {

enum class Initializer { zeros, ones, glorot_uniform, he_uniform, he_normal };

std::string to_string(Initializer initializer);
// Throws std::invalid_argument for an unknown name.
Initializer parse_initializer(std::string_view name);

// Fills a weight [out, ..., in] (dense [out, in], filters [k, r, s, c]; float32 or float64), with Keras'
// fans: the axes between the first and the last are the receptive field and count in both. Glorot: uniform
// within sqrt(6 / (fan_in + fan_out)); He: uniform within sqrt(6 / fan_in), or normal of variance 2 / fan_in
// cut at two deviations, as Keras' VarianceScaling.
void initialise(const engine::Tensor& parameter, Initializer initializer, std::uint64_t seed,
                std::uint32_t stream);

}  // namespace roentgen::model

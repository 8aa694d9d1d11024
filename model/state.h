// Moving saved tensors into live ones.
#pragma once

#include <filesystem>
#include <vector>

#include "model/layer.h"
#include "model/safetensors.h"

namespace roentgen::model {

bool is_floating(engine::DType dtype);

// Overwrites `target` (float32 or float64, any device) with `source`, a floating tensor of the host of the
// same number of elements, converted where the types differ.
void assign(const Tensor& target, const Tensor& source);
// Likewise from values already in order.
void assign(const Tensor& target, const std::vector<double>& values);

}  // namespace roentgen::model

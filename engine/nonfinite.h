// Finds the first NaN or infinity.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/tensor.h"

namespace roentgen::engine {

// Offset, in row-major order, of the first element of a floating tensor that is NaN or infinite.
std::optional<std::int64_t> first_nonfinite(const Tensor& x);

}  // namespace roentgen::engine

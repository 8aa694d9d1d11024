// Compares gradients with finite differences. For tests of ops and for anyone who writes one.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace roentgen::engine {

// What is checked: a function of tensors that gives the same result whenever it is called.
using TensorFunction = std::function<Tensor(const std::vector<Tensor>&)>;

struct GradcheckOptions {
  double epsilon = 1e-6;  // of the central differences
  double absolute = 1e-5, relative = 1e-3;
  std::uint64_t seed = 0;  // of the cotangent
};

struct GradcheckResult {
  bool passed = false;
  std::string message;  // where it failed: input, index, analytic, numeric
  // The worst element, by error over tolerance.
  std::int64_t input = -1, index = -1;
  double analytic = 0, numeric = 0;
  explicit operator bool() const { return passed; }
};

// The gradient of <f(inputs), random cotangent> against central differences in every element of every float64
// input (others are passed through). Inputs lie on `reference`, with at most 500 float64 elements in all:
// else throws std::invalid_argument. A gradient that is missing, misshapen or written only in part fails.
GradcheckResult gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options = {});

struct DirectionalOptions {
  double epsilon = 1.0 / 2048;  // step along a direction of elements in [-1, 1]
  double tolerance = 2e-3;      // of the derivative's magnitude
  std::uint64_t seed = 0;
};

// The derivative along one random direction through all float32 and float64 inputs at once, of any size and
// on any device. In float32 rounding of f limits it: keep f smooth around the inputs.
GradcheckResult directional_check(const TensorFunction& f, const std::vector<Tensor>& inputs,
                                  const DirectionalOptions& options = {});

}  // namespace roentgen::engine

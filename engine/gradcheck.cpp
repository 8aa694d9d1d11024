#include "engine/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/check.h"
#include "engine/tape.h"
#include "kernels/philox.h"

namespace roentgen::engine {
namespace {

// Of magnitude 0.5 to 1.5 and either sign: constant ones would hide errors, the gradient of sum(softmax) is
// 0.
std::vector<double> random_cotangent(std::int64_t count, std::uint64_t seed) {
  const kernels::RandomKey key{.seed = seed, .stream = 1};
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double u = static_cast<double>(kernels::uniform(key, i));
    values[i] = u < 0.5 ? -0.5 - 2 * u : 2 * u - 0.5;
  }
  return values;
}

Tensor from_doubles(const std::vector<double>& values, const Shape& shape, DType dtype,
                    const Device& device) {
  if (dtype == DType::float64) return Tensor::from(values, shape, device);
  if (dtype == DType::float32) {
    return Tensor::from(std::vector<float>(values.begin(), values.end()), shape, device);
  }
  std::vector<bfloat16> rounded;
  for (const double value : values) rounded.emplace_back(value);
  return Tensor::from(rounded, shape, device);
}

// <f(inputs), cotangent>, summed in double.
double inner(const TensorFunction& f, const std::vector<Tensor>& inputs,
             const std::vector<double>& cotangent) {
  const NoGrad no_grad;
  const std::vector<double> y = f(inputs).to_doubles();
  require(y.size() == cotangent.size(), "gradcheck: the function's output has {} elements, then {}",
          cotangent.size(), y.size());
  double total = 0;
  for (std::size_t i = 0; i < y.size(); ++i) total += y[i] * cotangent[i];
  return total;
}

struct Analytic {
  std::vector<double> cotangent;
  std::vector<std::vector<double>> gradients;  // empty for inputs not differentiated
  std::string failure;
};

Analytic analytic_gradients(const TensorFunction& f, const std::vector<Tensor>& inputs,
                            const std::vector<bool>& wanted, std::uint64_t seed) {
  std::vector<Tensor> leaves;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    leaves.push_back(inputs[i].clone());
    if (!wanted[i]) continue;
    // Starts as NaN, so that elements which a backward leaves out show.
    leaves[i].collect_gradient(Tensor::full(inputs[i].shape(), std::numeric_limits<double>::quiet_NaN(),
                                            inputs[i].dtype(), inputs[i].device()));
  }
  Analytic result;
  const Tensor y = f(leaves);
  result.cotangent = random_cotangent(y.size(), seed);
  if (!y.requires_grad()) {
    result.failure = "the output has no history: no gradient reaches any input";
    return result;
  }
  try {
    backward(y, from_doubles(result.cotangent, y.shape(), y.dtype(), y.device()));
  } catch (const std::logic_error& error) {  // also std::invalid_argument: shapes that do not fit
    result.failure = error.what();
    return result;
  }
  result.gradients.resize(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!wanted[i]) continue;
    const Tensor gradient = leaves[i].grad();
    if (!gradient.defined()) {
      result.failure = fmt::format("input {} of shape {} got no gradient", i, to_string(inputs[i].shape()));
      return result;
    }
    result.gradients[i] = gradient.to_doubles();
  }
  return result;
}

GradcheckResult failed(std::string message) {
  GradcheckResult result;
  result.message = std::move(message);
  return result;
}

}  // namespace

GradcheckResult gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs,
                          const GradcheckOptions& options) {
  std::vector<bool> wanted;
  std::int64_t elements = 0;
  for (const Tensor& x : inputs) {
    wanted.push_back(x.defined() && x.dtype() == DType::float64);
    if (!wanted.back()) continue;
    require(x.device() == Device{kernels::Reference{}}, "gradcheck: takes inputs on reference, not on {}",
            to_string(x.device()));
    elements += x.size();
  }
  require(elements <= 500, "gradcheck: takes at most 500 elements in all, not {}", elements);
  const Analytic analytic = analytic_gradients(f, inputs, wanted, options.seed);
  if (!analytic.failure.empty()) return failed("gradcheck: " + analytic.failure);

  GradcheckResult worst;
  worst.passed = true;
  double worst_excess = -1;
  std::vector<Tensor> moved = inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!wanted[i]) continue;
    const std::vector<double> x = inputs[i].to_doubles();
    const auto at = [&](std::size_t j, double value) {
      std::vector<double> values = x;
      values[j] = value;
      moved[i] = Tensor::from(values, inputs[i].shape(), inputs[i].device());
      return inner(f, moved, analytic.cotangent);
    };
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double numeric =
          (at(j, x[j] + options.epsilon) - at(j, x[j] - options.epsilon)) / (2 * options.epsilon);
      const double gradient = analytic.gradients[i][j];
      const double excess =
          std::abs(gradient - numeric) / (options.absolute + options.relative * std::abs(numeric));
      const bool better = excess <= worst_excess;  // false for NaN too
      if (better || std::isnan(worst_excess)) continue;
      worst_excess = excess;
      worst.passed = excess <= 1;
      worst.input = static_cast<std::int64_t>(i);
      worst.index = static_cast<std::int64_t>(j);
      worst.analytic = gradient;
      worst.numeric = numeric;
    }
    moved[i] = inputs[i];
  }
  if (!worst.passed) {
    worst.message =
        fmt::format("gradcheck: input {} of shape {}, element {}: analytic {:.9g}, numeric {:.9g}",
                    worst.input, to_string(inputs[static_cast<std::size_t>(worst.input)].shape()),
                    worst.index, worst.analytic, worst.numeric);
  }
  return worst;
}

GradcheckResult directional_check(const TensorFunction& f, const std::vector<Tensor>& inputs,
                                  const DirectionalOptions& options) {
  std::vector<bool> wanted;
  for (const Tensor& x : inputs) {
    wanted.push_back(x.defined() && (x.dtype() == DType::float32 || x.dtype() == DType::float64));
  }
  const Analytic analytic = analytic_gradients(f, inputs, wanted, options.seed);
  if (!analytic.failure.empty()) return failed("directional_check: " + analytic.failure);

  GradcheckResult result;
  std::vector<Tensor> above = inputs, below = inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!wanted[i]) continue;
    const kernels::RandomKey key{.seed = options.seed, .stream = static_cast<std::uint32_t>(i + 2)};
    const std::vector<double> x = inputs[i].to_doubles();
    std::vector<double> up = x, down = x;
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double direction = 2.0 * static_cast<double>(kernels::uniform(key, j)) - 1.0;
      up[j] += options.epsilon * direction;
      down[j] -= options.epsilon * direction;
    }
    above[i] = from_doubles(up, inputs[i].shape(), inputs[i].dtype(), inputs[i].device());
    below[i] = from_doubles(down, inputs[i].shape(), inputs[i].dtype(), inputs[i].device());
    // The step as it was rounded, not as it was meant.
    const std::vector<double> reached = above[i].to_doubles(), left = below[i].to_doubles();
    for (std::size_t j = 0; j < x.size(); ++j) {
      result.analytic += analytic.gradients[i][j] * (reached[j] - left[j]) / (2 * options.epsilon);
    }
  }
  result.numeric =
      (inner(f, above, analytic.cotangent) - inner(f, below, analytic.cotangent)) / (2 * options.epsilon);
  const double size = std::max(std::abs(result.analytic), std::abs(result.numeric));
  result.passed = std::abs(result.analytic - result.numeric) <= options.tolerance * size;
  if (!result.passed) {
    result.message =
        fmt::format("directional_check: along a random direction analytic {:.9g}, numeric {:.9g}",
                    result.analytic, result.numeric);
  }
  return result;
}

}  // namespace roentgen::engine

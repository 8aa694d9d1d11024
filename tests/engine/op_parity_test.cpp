// Values and gradients of every op on the cpu, and on a GPU where there is one, against `reference`, case by
// case from the op table.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "engine/device.h"
#include "engine/tape.h"
#include "tests/engine/op_table.h"

namespace roentgen::tests {
namespace {

struct Result {
  Tensor y;
  std::vector<Tensor> gradients;  // undefined for inputs that have none
};

Result run(const OpCase& op_case, DType dtype, const Device& device) {
  std::vector<Tensor> inputs = make_inputs(op_case, dtype, device);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Kind kind = op_case.inputs[i].kind;
    if (!op_case.differentiable || (kind != Kind::activation && kind != Kind::master)) continue;
    inputs[i].collect_gradient(
        Tensor::full(inputs[i].shape(), std::numeric_limits<double>::quiet_NaN(), inputs[i].dtype(), device));
  }
  Result result{.y = op_case.f(inputs), .gradients = {}};
  if (!op_case.differentiable) return result;
  engine::backward(result.y, random_tensor(result.y.shape(), result.y.dtype(), device, -1, 1, 50));
  for (const Tensor& input : inputs) result.gradients.push_back(input.grad());
  return result;
}

// NMSE at most 1e-7 and each element within 4 eps sqrt(K) of the largest magnitude; for bfloat16, whose
// results are rounded to 8 bits, elements within 1.6e-2 of it. Where rounding may have taken another branch
// (the maximum of values that bfloat16 cannot tell apart) single elements differ, and the sum of squares is
// compared.
void expect_close(const Tensor& actual, const Tensor& expected, bool low_precision, const OpCase& op_case) {
  ASSERT_EQ(actual.shape(), expected.shape());
  ASSERT_EQ(actual.dtype(), expected.dtype());
  const std::vector<double> a = actual.to_doubles(), e = expected.to_doubles();
  double largest = 0.1, error = 0, energy = 1e-6 * static_cast<double>(e.size());
  for (std::size_t i = 0; i < e.size(); ++i) {
    largest = std::max(largest, std::abs(e[i]));
    error += (a[i] - e[i]) * (a[i] - e[i]);
    energy += e[i] * e[i];
  }
  if (low_precision && op_case.branches) {
    EXPECT_LE(error, 0.05 * energy);
    return;
  }
  const double roots = std::sqrt(static_cast<double>(op_case.terms));
  const double tolerance =
      op_case.absolute_error +
      largest * (low_precision ? 1.6e-2 : 4 * double{std::numeric_limits<float>::epsilon()} * roots);
  if (!low_precision && op_case.absolute_error == 0) {
    EXPECT_LE(error, 1e-7 * energy);
  }
  for (std::size_t i = 0; i < e.size(); ++i) {
    ASSERT_LE(std::abs(a[i] - e[i]), tolerance) << "element " << i << ": " << a[i] << " for " << e[i];
  }
}

class OpParity : public ::testing::TestWithParam<std::string> {};

std::vector<Device> fast_devices() {
  std::vector<Device> devices = {kernels::Cpu{}};
  try {
    devices.push_back(engine::parse_device("cuda"));
  } catch (const engine::DeviceError&) {  // none in this build or machine
  }
  return devices;
}

void compare(const std::string& op, DType dtype, const Device& device) {
  SCOPED_TRACE(engine::to_string(device));
  for (const OpCase& op_case : op_cases()) {
    if (op_case.op != op) continue;
    SCOPED_TRACE(op_case.label);
    const Result actual = run(op_case, dtype, device);
    const Result expected = run(op_case, dtype, kernels::Reference{});
    // A cast's float32 side holds bfloat16 numbers as well.
    const bool low = dtype == DType::bfloat16 || expected.y.dtype() == DType::bfloat16;
    expect_close(actual.y, expected.y, low, op_case);
    for (std::size_t i = 0; i < expected.gradients.size(); ++i) {
      SCOPED_TRACE("gradient of input " + std::to_string(i));
      ASSERT_EQ(actual.gradients[i].defined(), expected.gradients[i].defined());
      if (expected.gradients[i].defined()) {
        expect_close(actual.gradients[i], expected.gradients[i], low, op_case);
      }
    }
  }
}

TEST_P(OpParity, Float32) {
  for (const Device& device : fast_devices()) compare(GetParam(), DType::float32, device);
}
TEST_P(OpParity, Bfloat16) {
  for (const Device& device : fast_devices()) compare(GetParam(), DType::bfloat16, device);
}

std::vector<std::string> op_names() {
  std::set<std::string> names;
  for (const OpCase& op_case : op_cases()) names.insert(op_case.op);
  return {names.begin(), names.end()};
}

INSTANTIATE_TEST_SUITE_P(Ops, OpParity, ::testing::ValuesIn(op_names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace roentgen::tests

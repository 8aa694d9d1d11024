#include "tests/engine/op_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "kernels/philox.h"

namespace roentgen::tests {
namespace {

using engine::bfloat16;

double draw(std::uint32_t stream, std::size_t index) {
  return static_cast<double>(kernels::uniform({.seed = 20, .stream = stream}, index));
}

std::vector<double> sample(const Input& input, std::uint32_t stream) {
  const auto count = static_cast<std::size_t>(engine::element_count(input.shape));
  std::vector<double> values(count);
  if (input.sample == Sample::distinct) {
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [stream](std::size_t a, std::size_t b) {
      const double x = draw(stream, a), y = draw(stream, b);
      return x != y ? x < y : a < b;
    });
    for (std::size_t i = 0; i < count; ++i) {
      values[order[i]] = 0.01 * (static_cast<double>(i) - static_cast<double>(count) / 2);
    }
    return values;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const double u = draw(stream, i);
    if (input.sample == Sample::positive) {
      values[i] = 0.5 + 1.5 * u;
    } else {
      values[i] = u < 0.5 ? -0.05 - 3.9 * u : 0.05 + 3.9 * (u - 0.5);
    }
  }
  return values;
}

}  // namespace

Tensor from_doubles(const std::vector<double>& values, const Shape& shape, DType dtype,
                    const Device& device) {
  const auto as = [&]<class T>(T) {
    std::vector<T> converted;
    for (const double value : values) converted.push_back(static_cast<T>(value));
    return Tensor::from(converted, shape, device);
  };
  switch (dtype) {
    case DType::float64:
      return as(double{});
    case DType::bfloat16:
      return as(bfloat16{});
    case DType::int32:
      return as(std::int32_t{});
    case DType::uint8:
      return as(std::uint8_t{});
    default:
      return as(float{});
  }
}

Tensor random_tensor(const Shape& shape, DType dtype, const Device& device, double low, double high,
                     std::uint32_t stream) {
  std::vector<double> values(static_cast<std::size_t>(engine::element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = low + (high - low) * draw(stream, i);
  return from_doubles(values, shape, dtype, device);
}

std::vector<Tensor> make_inputs(const OpCase& op_case, DType dtype, const Device& device) {
  std::vector<Tensor> tensors;
  std::uint32_t stream = 1;
  for (const Input& input : op_case.inputs) {
    ++stream;
    switch (input.kind) {
      case Kind::activation:
        tensors.push_back(from_doubles(sample(input, stream), input.shape, dtype, device));
        break;
      case Kind::master:
        tensors.push_back(from_doubles(sample(input, stream), input.shape, engine::master_of(dtype), device));
        break;
      case Kind::labels:
        tensors.push_back(
            random_tensor(input.shape, DType::int32, device, 0, static_cast<double>(input.classes), stream));
        break;
      case Kind::bytes:
        tensors.push_back(random_tensor(input.shape, DType::uint8, device, 0, 256, stream));
        break;
    }
  }
  return tensors;
}

OpCase& CaseList::add(const std::string& op, std::vector<Input> inputs, engine::TensorFunction f,
                      std::int64_t terms, const std::string& note) {
  std::string label = op;
  for (const Input& input : inputs) label += fmt::format(" {}", engine::to_string(input.shape));
  if (!note.empty()) label += fmt::format(" {}", note);
  cases_.push_back(
      {.op = op, .label = label, .inputs = std::move(inputs), .f = std::move(f), .terms = terms});
  return cases_.back();
}

const std::vector<OpCase>& op_cases() {
  static const std::vector<OpCase> cases = [] {
    CaseList list;
    add_elementwise_cases(list);
    add_shape_cases(list);
    add_dense_cases(list);
    add_image_cases(list);
    return list.take();
  }();
  return cases;
}

}  // namespace roentgen::tests

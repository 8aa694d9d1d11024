// Cases of arithmetic, activations, casts and dropout.
#include <fmt/format.h>

#include <utility>

#include "tests/engine/op_table.h"

namespace roentgen::tests {
namespace {

using Inputs = std::vector<Tensor>;

// Scalar, empty, single, primes, several axes, a partial batch of 11, more than one block.
const std::vector<Shape> shapes = {{},       {0},       {1, 1},    {7},          {13},     {31},   {7, 13},
                                   {11, 31}, {2, 3, 5}, {4, 0, 3}, {3, 5, 7, 2}, {11, 64}, {20011}};

// a, b: the same shape, scalars, repeated rows, columns, both ways, missing axes, more than one block.
const std::vector<std::pair<Shape, Shape>> pairs = {{{}, {}},
                                                    {{0}, {1}},
                                                    {{1, 1}, {1, 1}},
                                                    {{7}, {7}},
                                                    {{31}, {}},
                                                    {{}, {13}},
                                                    {{7, 13}, {13}},
                                                    {{13, 7}, {13, 1}},
                                                    {{1, 5}, {3, 1}},
                                                    {{2, 3, 5}, {3, 1}},
                                                    {{0, 3}, {3}},
                                                    {{11, 31}, {31}},
                                                    {{2, 1, 4, 1}, {3, 1, 5}},
                                                    {{3}, {2, 3, 3}},
                                                    {{129, 131}, {129, 131}},
                                                    {{129, 131}, {131}},
                                                    {{129, 131}, {129, 1}}};

void add_unary(CaseList& cases, const std::string& op, engine::TensorFunction f,
               const std::string& note = "") {
  for (const Shape& shape : shapes) cases.add(op, {{shape}}, f, 1, note);
}

void add_binary(CaseList& cases, const std::string& op, Tensor (*f)(const Tensor&, const Tensor&),
                Sample sample_b) {
  for (const auto& [a, b] : pairs) {
    const std::int64_t repeats = std::max(engine::element_count(a), engine::element_count(b));
    cases.add(
        op, {{a}, {b, sample_b}}, [f](const Inputs& x) { return f(x[0], x[1]); }, repeats);
  }
}

}  // namespace

void add_elementwise_cases(CaseList& cases) {
  add_binary(cases, "add", engine::add, Sample::signed_);
  add_binary(cases, "sub", engine::sub, Sample::signed_);
  add_binary(cases, "mul", engine::mul, Sample::signed_);
  add_binary(cases, "div", engine::div, Sample::positive);

  add_unary(cases, "scale", [](const Inputs& x) { return engine::scale(x[0], -1.7); });
  add_unary(cases, "relu", [](const Inputs& x) { return engine::relu(x[0]); });
  add_unary(cases, "leaky_relu", [](const Inputs& x) { return engine::leaky_relu(x[0], 0.2); });
  add_unary(cases, "sigmoid", [](const Inputs& x) { return engine::sigmoid(x[0]); });
  add_unary(cases, "tanh", [](const Inputs& x) { return engine::tanh(x[0]); });
  add_unary(cases, "gelu", [](const Inputs& x) { return engine::gelu(x[0]); });

  // Between the two types that networks store; float64 goes by way of bfloat16 too.
  for (const Shape& shape : shapes) {
    cases
        .add("cast", {{shape}},
             [](const Inputs& x) {
               return engine::cast(x[0], x[0].dtype() == DType::bfloat16 ? DType::float32 : DType::bfloat16);
             })
        .smooth_float64 = false;
  }
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const double rate = i % 3 == 0 ? 0.5 : i % 3 == 1 ? 0.23 : 0.9;
    const engine::RandomKey key{.seed = i, .purpose = kernels::Purpose::dropout, .stream = 3, .step = 5};
    cases.add(
        "dropout", {{shapes[i]}}, [=](const Inputs& x) { return engine::dropout(x[0], rate, key); }, 1,
        fmt::format("rate {}", rate));
  }
}

}  // namespace roentgen::tests

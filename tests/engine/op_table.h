// One table of cases for every op: tests take values, gradients and device parity from it, benches timing.
// A new op adds its cases to op_table_<family>.cpp.
#pragma once

#include <string>
#include <vector>

#include "engine/gradcheck.h"
#include "engine/ops.h"

namespace roentgen::tests {

using engine::Device;
using engine::DType;
using engine::Shape;
using engine::Tensor;

enum class Sample {
  signed_,   // magnitude 0.05 to 2: kept from the kink at 0
  positive,  // 0.5 to 2
  distinct,  // any two at least 0.01 apart: kept from the kinks of maxima
};
enum class Kind {
  activation,  // of the type under test
  master,      // of master_of that type: weights, biases
  labels,      // int32 below `classes`
  bytes,       // uint8
};

struct Input {
  Shape shape;
  Sample sample = Sample::signed_;
  Kind kind = Kind::activation;
  std::int64_t classes = 0;
};
inline Input weights(Shape shape) {
  return {std::move(shape), Sample::signed_, Kind::master};
}

struct OpCase {
  std::string op;     // as engine/ops.h declares it
  std::string label;  // the op, its inputs' shapes and options
  std::vector<Input> inputs;
  engine::TensorFunction f;
  std::int64_t terms = 1;      // numbers summed behind one result or gradient: errors grow with its root
  bool differentiable = true;  // false: values only
  bool smooth_float64 = true;  // false: finite differences cannot follow it
  bool branches = false;       // on computed values: in bfloat16 rounding may take another branch
  double absolute_error = 0;   // allowed besides rounding
};

// All cases, in a fixed order.
const std::vector<OpCase>& op_cases();

// Inputs of a case with activations of `dtype`: the same numbers on each device and in each run.
std::vector<Tensor> make_inputs(const OpCase& op_case, DType dtype, const Device& device);

// Numbers in [low, high] that depend on `stream` and their index alone.
Tensor random_tensor(const Shape& shape, DType dtype, const Device& device, double low, double high,
                     std::uint32_t stream);
Tensor from_doubles(const std::vector<double>& values, const Shape& shape, DType dtype, const Device& device);

// Collects cases; the label is made of the op, the shapes and `note`.
class CaseList {
 public:
  OpCase& add(const std::string& op, std::vector<Input> inputs, engine::TensorFunction f,
              std::int64_t terms = 1, const std::string& note = "");
  std::vector<OpCase> take() { return std::move(cases_); }

 private:
  std::vector<OpCase> cases_;
};

// One per file of the table.
void add_elementwise_cases(CaseList& cases);
void add_shape_cases(CaseList& cases);
void add_dense_cases(CaseList& cases);
void add_image_cases(CaseList& cases);

}  // namespace roentgen::tests

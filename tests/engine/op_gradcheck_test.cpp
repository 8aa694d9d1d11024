// Gradients of every op against finite differences in float64, case by case from the op table; and that the
// table leaves no op out.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <string>

#include "engine/gradcheck.h"
#include "tests/engine/op_table.h"

namespace roentgen::tests {
namespace {

constexpr int cases_per_op = 12;
constexpr int checks_per_op = 5;  // small enough for finite differences

// Names in the lines "Tensor name(...".
std::set<std::string> declared_ops() {
  std::ifstream file(ROENTGEN_SOURCE_DIR "/engine/ops.h");
  const std::string result = "Tensor ";
  std::set<std::string> names;
  for (std::string line; std::getline(file, line);) {
    const std::size_t open = line.find('(');
    if (line.starts_with(result) && open != std::string::npos) {
      names.insert(line.substr(result.size(), open - result.size()));
    }
  }
  return names;
}

TEST(OpTable, HasCasesForEveryDeclaredOp) {
  std::map<std::string, int> counts;
  for (const OpCase& op_case : op_cases()) ++counts[op_case.op];
  const std::set<std::string> ops = declared_ops();
  EXPECT_GE(ops.size(), 30u) << "engine/ops.h was not read";
  for (const std::string& op : ops) {
    EXPECT_GE(counts[op], cases_per_op) << op << " is declared in engine/ops.h but has too few cases";
  }
  for (const auto& [op, count] : counts) EXPECT_TRUE(ops.contains(op)) << op << " is not declared";
}

TEST(OpTable, LabelsAreDistinct) {
  std::set<std::string> labels;
  for (const OpCase& op_case : op_cases()) EXPECT_TRUE(labels.insert(op_case.label).second) << op_case.label;
}

class OpGradcheck : public ::testing::TestWithParam<std::string> {};

TEST_P(OpGradcheck, MatchesFiniteDifferences) {
  int checked = 0;
  for (const OpCase& op_case : op_cases()) {
    if (op_case.op != GetParam() || !op_case.differentiable || !op_case.smooth_float64) continue;
    std::int64_t elements = 0;
    for (const Input& input : op_case.inputs) elements += engine::element_count(input.shape);
    if (elements > 500) continue;
    const auto result =
        engine::gradcheck(op_case.f, make_inputs(op_case, DType::float64, kernels::Reference{}));
    EXPECT_TRUE(result) << op_case.label << "\n" << result.message;
    ++checked;
  }
  EXPECT_GE(checked, checks_per_op);
}

std::vector<std::string> smooth_ops() {
  std::set<std::string> names;
  for (const OpCase& op_case : op_cases()) {
    if (op_case.differentiable && op_case.smooth_float64) names.insert(op_case.op);
  }
  return {names.begin(), names.end()};
}

INSTANTIATE_TEST_SUITE_P(Ops, OpGradcheck, ::testing::ValuesIn(smooth_ops()),
                         [](const auto& info) { return info.param; });

// The recipe's first two blocks and its head, in float32 on the cpu at true shapes but for the batch. The
// gradient of a kink cannot be followed by differences, so that ReLU and pooling are left to the cases above.
TEST(Directional, TrueShapes) {
  const auto random = [](Shape shape, double width, std::uint32_t stream) {
    return random_tensor(shape, DType::float32, kernels::Cpu{}, -width, width, stream);
  };
  const auto convolution = [](const std::vector<Tensor>& x) { return engine::conv2d(x[0], x[1], x[2]); };
  const auto dense = [](const std::vector<Tensor>& x) { return engine::linear(x[0], x[1], x[2]); };
  EXPECT_TRUE(engine::directional_check(
      convolution, {random({1, 256, 256, 3}, 1, 1), random({32, 3, 3, 3}, 0.3, 2), random({32}, 0.1, 3)}));
  EXPECT_TRUE(engine::directional_check(
      convolution, {random({1, 62, 62, 64}, 1, 4), random({128, 3, 3, 64}, 0.1, 5), random({128}, 0.1, 6)}));
  EXPECT_TRUE(engine::directional_check(
      dense, {random({16, 115200}, 1, 7), random({64, 115200}, 0.01, 8), random({64}, 0.1, 9)}));
  EXPECT_TRUE(engine::directional_check(
      [](const std::vector<Tensor>& x) {
        const Tensor labels = Tensor::from(std::vector<std::int32_t>{0, 1, 2, 2, 1, 0, 0, 1, 2, 1, 0}, {11});
        return engine::cross_entropy(engine::linear(x[0], x[1], x[2]), labels);
      },
      {random({11, 64}, 1, 10), random({3, 64}, 0.3, 11), random({3}, 0.1, 12)}));
}

}  // namespace
}  // namespace roentgen::tests

// What ops refuse: each throws std::invalid_argument that begins with the op's name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "tests/engine/op_table.h"

namespace roentgen::tests {
namespace {

using namespace engine;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Tensor zeros(Shape shape, DType dtype = DType::float32) {
  return Tensor::zeros(std::move(shape), dtype);
}
Tensor on_reference(Shape shape) {
  return Tensor::zeros(std::move(shape), DType::float32, kernels::Reference{});
}
Tensor whole(Shape shape) {
  return zeros(std::move(shape), DType::int32);
}

struct ErrorCase {
  std::string op;
  std::function<void()> call;
  std::string says;  // besides the op's name
};

const std::vector<ErrorCase>& error_cases() {
  static const std::vector<ErrorCase> cases = {
      {"add",
       [] {
         add(zeros({2, 3}), zeros({2, 4}));
       },
       "[2, 3] and [2, 4]"},
      {"add", [] { add(zeros({3}), zeros({3}, DType::bfloat16)); }, "float32 and bfloat16"},
      {"add", [] { add(zeros({3}), on_reference({3})); }, "cpu and reference"},
      {"add", [] { add({}, zeros({3})); }, "never given a value"},
      {"add", [] { add(whole({3}), whole({3})); }, "int32"},
      {"add", [] { add(zeros({3}, DType::float64), zeros({3}, DType::float64)); }, "device reference only"},
      {"add",
       [] {
         add(zeros({1, 1, 1, 1, 1, 1, 1, 1, 1}), zeros({1}));
       },
       "at most 8 axes"},
      {"sub", [] { sub(zeros({2}), zeros({3})); }, "[2] and [3]"},
      {"mul", [] { mul(zeros({2}), zeros({3})); }, "[2] and [3]"},
      {"div", [] { div(zeros({0}), zeros({3})); }, "[0] and [3]"},
      {"scale", [] { scale(whole({3}), 2); }, "int32"},
      {"cast", [] { cast(whole({3}), DType::float32); }, "int32"},
      {"cast", [] { cast(zeros({3}), DType::float64); }, "device reference only"},
      {"relu", [] { relu(whole({3})); }, "int32"},
      {"relu", [] { relu({}); }, "never given a value"},
      {"leaky_relu", [] { leaky_relu(whole({3})); }, "int32"},
      {"sigmoid", [] { sigmoid(whole({3})); }, "int32"},
      {"tanh", [] { engine::tanh(whole({3})); }, "int32"},
      {"gelu", [] { gelu(whole({3})); }, "int32"},
      {"matmul",
       [] {
         matmul(zeros({2, 3}), zeros({4, 5}));
       },
       "[2, 3] and float32 [4, 5]"},
      {"matmul",
       [] {
         matmul(zeros({2, 3}), zeros({3, 5}), true);
       },
       "[2, 3] transposed"},
      {"matmul",
       [] {
         matmul(zeros({3}), zeros({3, 5}));
       },
       "[3]"},
      {"matmul",
       [] {
         matmul(zeros({2, 4, 3}), zeros({5, 3, 2}));
       },
       "[5, 3, 2]"},
      {"matmul",
       [] {
         matmul(zeros({4, 3}), zeros({5, 3, 2}));
       },
       "[5, 3, 2]"},
      {"linear",
       [] {
         linear(zeros({2, 3}), zeros({4, 5}));
       },
       "[2, 3], float32 [4, 5]"},
      {"linear",
       [] {
         linear(zeros({2, 3}), zeros({4, 3}), zeros({3}));
       },
       "and [3]"},
      {"linear",
       [] {
         linear(zeros({2, 3}), zeros({4, 3}, DType::bfloat16));
       },
       "bfloat16 [4, 3]"},
      {"linear",
       [] {
         linear(zeros({}), zeros({4, 3}));
       },
       "[]"},
      {"linear_block",
       [] {
         linear_block(zeros({2, 3}), zeros({4, 5}), {});
       },
       "[2, 3], float32 [4, 5]"},
      {"linear_block",
       [] {
         linear_block(zeros({2, 3}), zeros({4, 3}), {}, 1);
       },
       "rate in [0, 1), not 1"},
      {"linear_block",
       [] {
         linear_block(zeros({2, 3}), zeros({4, 3}), {}, 0.999999999);  // 1 in float
       },
       "rate in [0, 1), not 0.999999999"},
      {"conv2d",
       [] {
         conv2d(zeros({1, 5, 5, 3}), zeros({2, 3, 3, 4}));
       },
       "[2, 3, 3, 4]"},
      {"conv2d",
       [] {
         conv2d(zeros({5, 5, 3}), zeros({2, 3, 3, 3}));
       },
       "[5, 5, 3]"},
      {"conv2d",
       [] {
         conv2d(zeros({1, 5, 5, 3}), zeros({2, 3, 3, 3}), zeros({3}));
       },
       "and [3]"},
      {"conv2d",
       [] {
         conv2d(zeros({1, 2, 5, 3}), zeros({2, 3, 3, 3}));
       },
       "larger than x [1, 2, 5, 3]"},
      {"conv2d",
       [] {
         conv2d(zeros({1, 4, 5, 3}), zeros({2, 3, 3, 3}), {}, {.dilation_h = 2});
       },
       "dilation 2 x 1"},
      {"conv2d",
       [] {
         conv2d(zeros({1, 4, 5, 3}), zeros({2, 3, 3, 3}), {}, {.stride_w = 0});
       },
       "strides"},
      {"conv2d",
       [] {
         conv2d(zeros({1, 4, 5, 3}), zeros({2, 3, 3, 3}), {}, {.pad_w = -1});
       },
       "padding"},
      {"conv2d",
       [] {
         conv2d(zeros({1, 5, 5, 3}), on_reference({2, 3, 3, 3}));
       },
       "cpu and reference"},
      {"conv_block",
       [] {
         conv_block(zeros({1, 5, 5, 3}), zeros({2, 3, 3, 4}), {});
       },
       "[2, 3, 3, 4]"},
      {"conv_block",
       [] {
         conv_block(zeros({1, 5, 5, 3}), zeros({2, 3, 3, 3}), {}, {.conv = {}, .pool = 4});
       },
       "leaves 3 x 3"},
      {"conv_block",
       [] {
         conv_block(zeros({1, 5, 5, 3}), zeros({2, 3, 3, 3}), {}, {.conv = {}, .pool = 0});
       },
       "from 1 to 15"},
      {"conv_block",
       [] {
         conv_block(zeros({1, 5, 5, 3}), zeros({2, 3, 3, 3}), {}, {.conv = {}, .rate = -0.1});
       },
       "rate in [0, 1)"},
      {"max_pool2d",
       [] {
         max_pool2d(zeros({4, 4, 3}));
       },
       "[4, 4, 3]"},
      {"max_pool2d",
       [] {
         max_pool2d(zeros({1, 1, 4, 3}));
       },
       "larger than x [1, 1, 4, 3]"},
      {"max_pool2d",
       [] {
         max_pool2d(zeros({1, 4, 4, 3}), {.stride_h = 0});
       },
       "1 or more"},
      {"max_pool2d",
       [] {
         max_pool2d(zeros({1, 4, 4, 3}), {.pad_h = 2});
       },
       "not 2 x 0"},
      {"avg_pool2d",
       [] {
         avg_pool2d(zeros({1, 4, 4, 3}), {.dilation_w = 2});
       },
       "no dilation"},
      {"avg_pool2d",
       [] {
         avg_pool2d(zeros({4, 4, 3}));
       },
       "[4, 4, 3]"},
      {"global_avg_pool2d",
       [] {
         global_avg_pool2d(zeros({4, 4, 3}));
       },
       "[4, 4, 3]"},
      {"global_avg_pool2d",
       [] {
         global_avg_pool2d(zeros({4, 0, 3, 3}));
       },
       "[4, 0, 3, 3]"},
      {"batch_norm",
       [] {
         batch_norm(zeros({4, 3}), zeros({3}), zeros({2}), zeros({3}), zeros({3}));
       },
       "[2]"},
      {"batch_norm", [] { batch_norm(zeros({3}), zeros({3}), zeros({3}), zeros({3}), zeros({3})); }, "[3]"},
      {"batch_norm",
       [] {
         batch_norm(zeros({0, 3}), zeros({3}), zeros({3}), zeros({3}), zeros({3}));
       },
       "no elements"},
      {"batch_norm",
       [] {
         batch_norm(zeros({4, 3}), zeros({3}), zeros({3}), zeros({3}), zeros({3}), {.epsilon = 0});
       },
       "epsilon"},
      {"dropout", [] { dropout(zeros({3}), 1, {}); }, "not 1"},
      {"dropout", [] { dropout(zeros({3}), -0.5, {}); }, "not -0.5"},
      {"softmax", [] { softmax(zeros({})); }, "scalar"},
      {"log_softmax", [] { log_softmax(zeros({})); }, "scalar"},
      {"cross_entropy",
       [] {
         cross_entropy(zeros({4, 3}), whole({3}));
       },
       "[4, 3] and int32 [3]"},
      {"cross_entropy",
       [] {
         cross_entropy(zeros({4, 3}), zeros({4}));
       },
       "float32 [4]"},
      {"cross_entropy",
       [] {
         cross_entropy(zeros({0, 3}), whole({0}));
       },
       "[0, 3]"},
      {"cross_entropy",
       [] {
         cross_entropy(zeros({4, 3}), whole({4}), zeros({4}));
       },
       "[4]"},
      {"cross_entropy",
       [] {
         cross_entropy(zeros({4, 3}), whole({4}), {}, {.label_smoothing = 2});
       },
       "not 2"},
      {"cross_entropy",
       [] {
         cross_entropy(zeros({1, 3}), Tensor::from(std::vector<std::int32_t>{3}, {1}));
       },
       ""},
      {"sum",
       [] {
         sum(zeros({2, 3}), {2});
       },
       "no axis 2"},
      {"sum",
       [] {
         sum(zeros({2, 3}), {1, -1});
       },
       "twice"},
      {"mean",
       [] {
         mean(zeros({0, 3}), {0});
       },
       "nothing to average"},
      {"mean", [] { mean(whole({3})); }, "int32"},
      {"max", [] { engine::max(zeros({0})); }, "nothing to compare"},
      {"max", [] { engine::max(zeros({2}), {-2}); }, "no axis -2"},
      {"reshape",
       [] {
         reshape(zeros({2, 3}), {4, 2});
       },
       "[2, 3] cannot be seen as [4, 2]"},
      {"reshape",
       [] {
         reshape(zeros({2, 3}), {-1, -1});
       },
       "more than one"},
      {"reshape",
       [] {
         reshape(zeros({2, 3}), {-1, 4});
       },
       "[-1, 4]"},
      {"flatten", [] { flatten(zeros({})); }, "scalar"},
      {"permute",
       [] {
         permute(zeros({2, 3}), {0});
       },
       "each axis of [2, 3] once"},
      {"permute",
       [] {
         permute(zeros({2, 3}), {1, 1});
       },
       "[1, 1]"},
      {"concat", [] { concat({}, 0); }, "at least one"},
      {"concat",
       [] {
         concat({zeros({2, 3}), zeros({2, 4})}, 0);
       },
       "[2, 4] does not fit"},
      {"concat",
       [] {
         concat({zeros({2, 3}), zeros({2})}, 1);
       },
       "[2] does not fit"},
      {"concat",
       [] {
         concat({zeros({2}), on_reference({2})}, 0);
       },
       "cpu and reference"},
      {"slice", [] { slice(zeros({5}), 0, 2, 6); }, "2 to 6"},
      {"slice", [] { slice(zeros({5}), 0, 0, 5, 0); }, "by 0"},
      {"slice", [] { slice(zeros({5}), 0, 3, 2); }, "3 to 2"},
      {"pad",
       [] {
         pad(zeros({2, 3}), {1}, {1});
       },
       "[1]"},
      {"pad", [] { pad(zeros({2}), {-1}, {0}); }, "0 or more"},
      {"augment",
       [] {
         augment(zeros({1, 2, 2, 3}), {}, DType::float32);
       },
       "uint8"},
      {"augment",
       [] {
         augment(zeros({2, 2, 2, 3}, DType::uint8), zeros({28}, DType::uint8), DType::float32);
       },
       "56 bytes"},
  };
  return cases;
}

TEST(OpErrors, NameTheOpAndTheShapes) {
  for (const ErrorCase& error_case : error_cases()) {
    SCOPED_TRACE(error_case.op + ", expected to say: " + error_case.says);
    try {
      error_case.call();
      ADD_FAILURE() << "was accepted";
    } catch (const std::invalid_argument& error) {
      EXPECT_THAT(error.what(), StartsWith(error_case.op + ":"));
      EXPECT_THAT(error.what(), HasSubstr(error_case.says));
    }
  }
}

TEST(OpErrors, EveryOpOfTheTableRefusesSomething) {
  std::set<std::string> refusing;
  for (const ErrorCase& error_case : error_cases()) refusing.insert(error_case.op);
  for (const OpCase& op_case : op_cases()) EXPECT_TRUE(refusing.contains(op_case.op)) << op_case.op;
}

}  // namespace
}  // namespace roentgen::tests

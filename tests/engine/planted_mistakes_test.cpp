// The check of gradients checked: 25 mistakes as people make them, each must be caught, and its correct twin
// must pass.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/gradcheck.h"
#include "engine/tape.h"
#include "kernels/memory.h"
#include "tests/engine/op_table.h"

namespace roentgen::tests {
namespace {

using namespace engine;
using Inputs = std::vector<Tensor>;

const Device reference = kernels::Reference{};

// An op with the values of `forward` and the gradients of `impostor`.
TensorFunction planted(TensorFunction forward, TensorFunction impostor) {
  return [=](const Inputs& inputs) {
    Inputs values, leaves;
    for (const Tensor& x : inputs) {
      values.push_back(x.detach());
      leaves.push_back(x.detach());
      if (x.dtype() == DType::float64) leaves.back().collect_gradient();
    }
    const Tensor z = impostor(leaves);
    return record(forward(values), inputs, [leaves, z](const Tensor& dy) {
      backward(z, dy, true);
      std::vector<Tensor> gradients;
      for (const Tensor& leaf : leaves) gradients.push_back(leaf.grad());
      return gradients;
    });
  };
}

// An op whose gradients are computed by `gradients` from its inputs' values and dy.
TensorFunction with_gradients(TensorFunction forward,
                              std::function<std::vector<Tensor>(const Inputs&, const Tensor&)> gradients) {
  return [=](const Inputs& inputs) {
    Inputs values;
    for (const Tensor& x : inputs) values.push_back(x.detach());
    return record(forward(values), inputs, [=](const Tensor& dy) { return gradients(values, dy); });
  };
}

struct Mistake {
  std::string name;
  std::vector<Input> inputs;
  TensorFunction right, wrong;
};

// `right` with the gradients of `impostor`.
Mistake impostor(std::string name, std::vector<Input> inputs, TensorFunction right, TensorFunction impostor) {
  return {std::move(name), std::move(inputs), planted(right, right), planted(right, impostor)};
}

Tensor constant(Shape shape, double low, double high) {
  return random_tensor(shape, DType::float64, reference, low, high, 90);
}

Tensor convolve(const Inputs& x, const Conv2dOptions& options) {
  return conv2d(x[0], x[1], x[2], options);
}

// Reversed along the filters' rows: convolution instead of correlation.
Tensor flipped(const Tensor& filters) {
  std::vector<Tensor> rows;
  for (std::int64_t r = filters.dim(1); r-- > 0;) rows.push_back(slice(filters, 1, r, r + 1));
  return concat(rows, 1);
}

// x Phi(x) by the usual approximation with tanh, off by less than 0.001.
Tensor approximate_gelu(const Tensor& x) {
  const Tensor cube = mul(mul(x, x), x);
  const Tensor inner = scale(add(x, scale(cube, 0.044715)), std::sqrt(2 / 3.14159265358979323846));
  return scale(add(x, mul(x, engine::tanh(inner))), 0.5);
}

Tensor normalise(const Inputs& x, double epsilon) {
  const Tensor mean = constant({3}, 0, 1), variance = constant({3}, 1, 2);
  return batch_norm(x[0], x[1], x[2], mean, variance, {.epsilon = epsilon});
}

// Normalised by the batch's statistics as if they were constants.
Tensor normalise_by_constants(const Inputs& x) {
  const Tensor still = x[0].detach(), centre = mean(still, {0}), away = sub(still, centre);
  return batch_norm(x[0], x[1], x[2], centre, mean(mul(away, away), {0}),
                    {.epsilon = 0.1, .training = false});
}

std::vector<Mistake> pointwise_mistakes() {
  const RandomKey key{.seed = 3, .step = 1}, stale{.seed = 3, .step = 0};
  return {
      impostor(
          "sign turned", {{{7, 3}}}, [](const Inputs& x) { return engine::tanh(x[0]); },
          [](const Inputs& x) { return scale(engine::tanh(x[0]), -1); }),
      impostor(
          "zeroed", {{{7, 3}}}, [](const Inputs& x) { return sigmoid(x[0]); },
          [](const Inputs& x) { return scale(sigmoid(x[0]), 0); }),
      impostor(
          "factor 2 forgotten in a square", {{{13}}}, [](const Inputs& x) { return mul(x[0], x[0]); },
          [](const Inputs& x) { return mul(x[0], x[0].detach()); }),
      impostor(
          "branch detached", {{{5, 3}}}, [](const Inputs& x) { return mul(x[0], sigmoid(x[0])); },
          [](const Inputs& x) { return mul(x[0].detach(), sigmoid(x[0])); }),
      impostor(
          "operands swapped", {{{3, 5}}, {{3, 5}}}, [](const Inputs& x) { return sub(x[0], x[1]); },
          [](const Inputs& x) { return sub(x[1], x[0]); }),
      impostor(
          "divisor not squared", {{{3, 5}}, {{3, 5}, Sample::positive}},
          [](const Inputs& x) { return div(x[0], x[1]); },
          [](const Inputs& x) { return sub(div(x[0], x[1].detach()), mul(div(x[0], x[1]).detach(), x[1])); }),
      impostor(
          "no gate of ReLU", {{{7, 3}}}, [](const Inputs& x) { return relu(x[0]); },
          [](const Inputs& x) { return scale(x[0], 1); }),
      impostor(
          "gate of ReLU from another row", {{{7, 3}}}, [](const Inputs& x) { return relu(x[0]); },
          [](const Inputs& x) {
            const Tensor other = concat({slice(x[0], 0, 1, 7), slice(x[0], 0, 0, 1)}, 0).detach();
            return mul(x[0], div(relu(other), other));
          }),
      impostor(
          "slope of another leaky ReLU", {{{7, 3}}}, [](const Inputs& x) { return leaky_relu(x[0], 0.2); },
          [](const Inputs& x) { return leaky_relu(x[0], 0.01); }),
      impostor(
          "GELU's gradient by the approximation", {{{7, 5}}}, [](const Inputs& x) { return gelu(x[0]); },
          [](const Inputs& x) { return approximate_gelu(x[0]); }),
      impostor(
          "dropout not scaled", {{{7, 5}}}, [=](const Inputs& x) { return dropout(x[0], 0.4, key); },
          [=](const Inputs& x) { return scale(dropout(x[0], 0.4, key), 0.6); }),
      impostor(
          "dropout with a stale mask", {{{7, 5}}}, [=](const Inputs& x) { return dropout(x[0], 0.4, key); },
          [=](const Inputs& x) { return dropout(x[0], 0.4, stale); }),
  };
}

std::vector<Mistake> structural_mistakes() {
  const TensorFunction biased = [](const Inputs& x) { return add(x[0], x[1]); };
  const TensorFunction both = [](const Inputs& x) { return scale(x[0], 3); };
  return {
      impostor(
          "1 / N forgotten", {{{4, 3}}}, [](const Inputs& x) { return mean(x[0], {0}); },
          [](const Inputs& x) { return sum(x[0], {0}); }),
      impostor(
          "summed over the wrong axis", {{{4, 4}}}, [](const Inputs& x) { return sum(mul(x[0], x[0]), {0}); },
          [](const Inputs& x) { return sum(mul(x[0], x[0]), {1}); }),
      impostor(
          "last instead of largest", {{{5, 4}, Sample::distinct}},
          [](const Inputs& x) { return engine::max(x[0], {0}); },
          [](const Inputs& x) { return reshape(slice(x[0], 0, 4, 5), {4}); }),
      impostor(
          "transposed", {{{4, 4}}, {{4, 4}}}, [](const Inputs& x) { return matmul(x[0], x[1]); },
          [](const Inputs& x) { return matmul(x[0], x[1], false, true); }),
      impostor(
          "permuted back the same way", {{{3, 3, 3}}},
          [](const Inputs& x) {
            return permute(x[0], {1, 2, 0});
          },
          [](const Inputs& x) {
            return permute(x[0], {2, 0, 1});
          }),
      impostor(
          "slice off by one", {{{7, 3}}}, [](const Inputs& x) { return slice(x[0], 0, 1, 6, 2); },
          [](const Inputs& x) { return slice(x[0], 0, 2, 7, 2); }),
      {"sum over the broadcast axis forgotten",
       {{{4, 3}}, {{3}}},
       with_gradients(biased,
                      [](const Inputs&, const Tensor& dy) {
                        return Inputs{dy, sum(dy, {0})};
                      }),
       with_gradients(biased,
                      [](const Inputs&, const Tensor& dy) {
                        return Inputs{dy, dy};
                      })},
      {"last row of the gradient not written",
       {{{4, 3}}},
       with_gradients(both, [](const Inputs&, const Tensor& dy) { return Inputs{scale(dy, 3)}; }),
       [=](const Inputs& inputs) {
         const GradientSlot slot(inputs[0]);
         return record(both({inputs[0].detach()}), inputs, [=](const Tensor& dy) {
           const Tensor dx = slot.make();
           dx.rows(0, 3).copy_from(scale(dy.rows(0, 3), 3));
           return Inputs{dx};
         });
       }},
  };
}

std::vector<Mistake> layer_mistakes() {
  const std::vector<Input> convolution = {{{1, 5, 6, 2}}, {{3, 3, 3, 2}}, {{3}}};
  const TensorFunction padded = [](const Inputs& x) { return convolve(x, {.pad_h = 1, .pad_w = 1}); };
  return {
      impostor(
          "bias dropped", {{{4, 5}}, {{3, 5}}, {{3}}},
          [](const Inputs& x) { return linear(x[0], x[1], x[2]); },
          [](const Inputs& x) { return linear(x[0], x[1], x[2].detach()); }),
      impostor("padding off by one", convolution, padded,
               [](const Inputs& x) {
                 return conv2d(pad(x[0], {0, 2, 1, 0}, {0, 0, 1, 0}), x[1], x[2]);
               }),
      impostor(
          "dilation forgotten", convolution,
          [](const Inputs& x) {
            return convolve(x, {.pad_h = 2, .pad_w = 2, .dilation_h = 2, .dilation_w = 2});
          },
          padded),
      impostor("filters not turned", convolution, padded,
               [](const Inputs& x) {
                 return convolve({x[0], flipped(x[1]), x[2]}, {.pad_h = 1, .pad_w = 1});
               }),
      impostor(
          "statistics of the batch taken for constants", {{{7, 3}}, {{3}}, {{3}}},
          [](const Inputs& x) { return normalise(x, 0.1); }, normalise_by_constants),
  };
}

// Adds up to 25.
std::vector<Mistake> all_mistakes() {
  std::vector<Mistake> all;
  for (auto family : {pointwise_mistakes, structural_mistakes, layer_mistakes}) {
    for (Mistake& mistake : family()) all.push_back(std::move(mistake));
  }
  return all;
}

TEST(PlantedMistakes, AreCaughtAndTheirTwinsPass) {
  int caught = 0;
  const std::vector<Mistake> mistakes = all_mistakes();
  for (const Mistake& mistake : mistakes) {
    SCOPED_TRACE(mistake.name);
    const Inputs inputs =
        make_inputs({.op = "", .label = "", .inputs = mistake.inputs, .f = {}}, DType::float64, reference);
    const GradcheckResult right = gradcheck(mistake.right, inputs), wrong = gradcheck(mistake.wrong, inputs);
    EXPECT_TRUE(right.passed) << right.message;
    EXPECT_FALSE(wrong.passed) << "was not caught";
    EXPECT_FALSE(!wrong.passed && wrong.message.empty()) << "was caught without a word";
    caught += !wrong.passed;
  }
  EXPECT_EQ(mistakes.size(), 25u);
  EXPECT_EQ(caught, 25);
}

// The same in the classes of mistakes that only losses have.
TEST(PlantedMistakes, OfLosses) {
  const Tensor labels = Tensor::from(std::vector<std::int32_t>{0, 2, 1, 1, 2}, {5}, reference);
  const TensorFunction loss = [=](const Inputs& x) {
    return cross_entropy(x[0], labels, constant({3}, 0.5, 2), {.label_smoothing = 0.1});
  };
  const std::vector<Mistake> mistakes = {
      impostor(
          "softmax without its sum", {{{5, 3}}}, [](const Inputs& x) { return softmax(x[0]); },
          [](const Inputs& x) { return mul(x[0], softmax(x[0]).detach()); }),
      impostor(
          "normaliser of log-softmax detached", {{{5, 3}}}, [](const Inputs& x) { return log_softmax(x[0]); },
          [](const Inputs& x) { return scale(x[0], 1); }),
      impostor("not divided by the batch", {{{5, 3}}}, loss,
               [=](const Inputs& x) { return scale(loss(x), 5); }),
      impostor("class weights left out", {{{5, 3}}}, loss,
               [=](const Inputs& x) { return cross_entropy(x[0], labels, {}, {.label_smoothing = 0.1}); }),
      impostor("smoothing left out", {{{5, 3}}}, loss,
               [=](const Inputs& x) { return cross_entropy(x[0], labels, constant({3}, 0.5, 2)); }),
  };
  for (const Mistake& mistake : mistakes) {
    SCOPED_TRACE(mistake.name);
    const Inputs inputs = {constant({5, 3}, -2, 2)};
    EXPECT_TRUE(gradcheck(mistake.right, inputs));
    EXPECT_FALSE(gradcheck(mistake.wrong, inputs));
  }
}

TEST(Gradcheck, NamesTheWorstElement) {
  // The gradient of element 4 of input 1 is off, and no other.
  const TensorFunction f = with_gradients([](const Inputs& x) { return mul(x[0], x[1]); },
                                          [](const Inputs& x, const Tensor& dy) {
                                            std::vector<double> db = mul(dy, x[0]).to_doubles();
                                            db[4] += 0.5;
                                            return Inputs{mul(dy, x[1]), Tensor::from(db, {2, 3}, reference)};
                                          });
  const GradcheckResult result = gradcheck(f, {constant({2, 3}, 1, 2), constant({2, 3}, 1, 2)});
  EXPECT_FALSE(result);
  EXPECT_EQ(result.input, 1);
  EXPECT_EQ(result.index, 4);
  EXPECT_NEAR(result.analytic - result.numeric, 0.5, 1e-6);
  EXPECT_NE(result.message.find("input 1 of shape [2, 3], element 4"), std::string::npos) << result.message;
}

TEST(Gradcheck, ReportsGradientsThatDoNotArrive) {
  const Inputs x = {constant({3}, 1, 2), constant({3}, 1, 2)};
  const GradcheckResult one = gradcheck([](const Inputs& v) { return mul(v[0], v[1].detach()); }, x);
  EXPECT_FALSE(one);
  EXPECT_NE(one.message.find("input 1 of shape [3] got no gradient"), std::string::npos) << one.message;
  const GradcheckResult none = gradcheck([](const Inputs& v) { return v[0].clone(); }, x);
  EXPECT_FALSE(none);
  EXPECT_NE(none.message.find("no history"), std::string::npos) << none.message;
}

TEST(Gradcheck, RefusesWhatItCannotCheck) {
  const TensorFunction f = [](const Inputs& x) { return sum(x[0]); };
  EXPECT_THROW(gradcheck(f, {constant({501}, 0, 1)}), std::invalid_argument);
  EXPECT_THROW(gradcheck(f, {Tensor({3}, DType::float64, kernels::Cpu{})}), std::invalid_argument);
}

TEST(DirectionalCheck, FindsAMistakeInFloat) {
  const auto random = [](Shape shape, std::uint32_t stream) {
    return random_tensor(shape, DType::float32, kernels::Cpu{}, -1, 1, stream);
  };
  const Inputs inputs = {random({16, 300}, 1), random({64, 300}, 2)};
  const TensorFunction right = [](const Inputs& x) { return linear(x[0], x[1]); };
  const TensorFunction wrong = [](const Inputs& x) {
    return record(linear(x[0].detach(), x[1].detach()), x, [=](const Tensor& dy) {
      return Inputs{scale(matmul(dy, x[1].detach()), 1.1), matmul(dy, x[0].detach(), true)};
    });
  };
  EXPECT_TRUE(directional_check(right, inputs)) << directional_check(right, inputs).message;
  const GradcheckResult result = directional_check(wrong, inputs);
  EXPECT_FALSE(result);
  EXPECT_NE(result.message.find("along a random direction"), std::string::npos);
}

}  // namespace
}  // namespace roentgen::tests

// Values of ops against formulas and loops that share nothing with the engine. Device parity alone would not
// see a mistake made above the kernels: wrong strides, axes or offsets are the same on every device.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "engine/tape.h"
#include "kernels/augment.h"
#include "tests/engine/op_table.h"

namespace roentgen::tests {
namespace {

using namespace engine;

const Device reference = kernels::Reference{};

Tensor random(Shape shape, std::uint32_t stream) {
  return random_tensor(shape, DType::float64, reference, -1, 1, stream);
}

// Calls f(index) for each index of the shape, in row-major order.
void for_each_index(const Shape& shape, const std::function<void(const Shape&)>& f) {
  Shape index(shape.size(), 0);
  for (std::int64_t i = 0; i < element_count(shape); ++i) {
    std::int64_t rest = i;
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      index[axis] = rest % shape[axis];
      rest /= shape[axis];
    }
    f(index);
  }
}

double at(const Tensor& x, const Shape& index) {
  std::int64_t flat = 0;
  for (std::size_t axis = 0; axis < index.size(); ++axis) flat = flat * x.shape()[axis] + index[axis];
  return x.to_doubles()[static_cast<std::size_t>(flat)];
}

// y has `shape`, and expected(index) everywhere, to the rounding of sums in double.
void expect_values(const Tensor& y, const Shape& shape, const std::function<double(const Shape&)>& expected) {
  ASSERT_EQ(y.shape(), shape);
  const std::vector<double> values = y.to_doubles();
  std::size_t i = 0;
  for_each_index(shape, [&](const Shape& index) {
    EXPECT_NEAR(values[i], expected(index), 1e-12) << "at " << to_string(index);
    ++i;
  });
}

TEST(OpValues, ArithmeticBroadcasts) {
  const Tensor a = random({2, 1, 4}, 1), b = random({3, 1}, 2);
  const auto both = [&](auto f) {
    return [&, f](const Shape& i) { return f(at(a, {i[0], 0, i[2]}), at(b, {i[1], 0})); };
  };
  expect_values(add(a, b), {2, 3, 4}, both(std::plus<>{}));
  expect_values(sub(a, b), {2, 3, 4}, both(std::minus<>{}));
  expect_values(mul(a, b), {2, 3, 4}, both(std::multiplies<>{}));
  expect_values(div(a, b), {2, 3, 4}, both(std::divides<>{}));
}

TEST(OpValues, Activations) {
  const Tensor x = Tensor::from(std::vector<double>{-2, -0.5, 0, 0.5, 3}, {5}, reference);
  const auto each = [&](double (*f)(double)) { return [&, f](const Shape& i) { return f(at(x, i)); }; };
  expect_values(relu(x), {5}, each([](double v) { return v > 0 ? v : 0; }));
  expect_values(leaky_relu(x, 0.1), {5}, each([](double v) { return v > 0 ? v : 0.1 * v; }));
  expect_values(sigmoid(x), {5}, each([](double v) { return 1 / (1 + std::exp(-v)); }));
  expect_values(engine::tanh(x), {5}, each([](double v) { return std::tanh(v); }));
  expect_values(gelu(x), {5}, each([](double v) { return 0.5 * v * (1 + std::erf(v / std::sqrt(2.0))); }));
  expect_values(scale(x, -3), {5}, each([](double v) { return -3 * v; }));
}

TEST(OpValues, CastRoundsToNearestEven) {
  const Tensor x = Tensor::from(std::vector<float>{1, 1.00390625f, 1.01171875f, -3.140625f}, {4}, reference);
  // 1 + 2^-8 lies between 1 and 1 + 2^-7, and goes to the even 1; 1 + 3 2^-8 to the even 1 + 2^-6.
  EXPECT_EQ(cast(x, DType::bfloat16).to_doubles(), (std::vector<double>{1, 1, 1.015625, -3.140625}));
}

TEST(OpValues, ReductionsOverAxes) {
  const Tensor x = random({2, 3, 4, 5}, 3);
  const auto total = [&](const Shape& kept) {
    double sum = 0;
    for (std::int64_t i = 0; i < 2; ++i) {
      for (std::int64_t k = 0; k < 4; ++k) sum += at(x, {i, kept[0], k, kept.back()});
    }
    return sum;
  };
  const auto largest = [&](const Shape& kept) {
    double best = -2;
    for (std::int64_t i = 0; i < 2; ++i) {
      for (std::int64_t k = 0; k < 4; ++k) best = std::max(best, at(x, {i, kept[0], k, kept.back()}));
    }
    return best;
  };
  expect_values(sum(x, {0, 2}), {3, 5}, total);
  expect_values(sum(x, {2, -4}), {3, 5}, total);
  expect_values(mean(x, {0, -2}), {3, 5}, [&](const Shape& kept) { return total(kept) / 8; });
  expect_values(engine::max(x, {2, 0}), {3, 5}, largest);
  expect_values(sum(x, {0, 2}, true), {1, 3, 1, 5}, [&](const Shape& i) { return total({i[1], i[3]}); });
  EXPECT_NEAR(mean(x).item(), sum(x).item() / 120, 1e-12);
  EXPECT_EQ(sum(Tensor::zeros({0}, DType::float64, reference)).item(), 0);
}

TEST(OpValues, FirstMaximumTakesTheGradient) {
  Tensor x = Tensor::from(std::vector<double>{1, 5, 5, 2, 5, 0}, {2, 3}, reference);
  x.collect_gradient();
  backward(engine::max(x));
  EXPECT_EQ(x.grad().to_doubles(), (std::vector<double>{0, 1, 0, 0, 0, 0}));
}

TEST(OpValues, Movers) {
  const Tensor x = random({2, 3, 4}, 4), y = random({2, 2, 4}, 5);
  expect_values(reshape(x, {4, -1}), {4, 6}, [&](const Shape& i) {
    const std::int64_t flat = i[0] * 6 + i[1];
    return at(x, {flat / 12, flat / 4 % 3, flat % 4});
  });
  EXPECT_TRUE(reshape(x, {24}).same_memory(x));
  EXPECT_EQ(flatten(x).shape(), (Shape{2, 12}));
  expect_values(permute(x, {2, 0, 1}), {4, 2, 3}, [&](const Shape& i) { return at(x, {i[1], i[2], i[0]}); });
  expect_values(concat({x, y}, 1), {2, 5, 4}, [&](const Shape& i) {
    return i[1] < 3 ? at(x, i) : at(y, {i[0], i[1] - 3, i[2]});
  });
  expect_values(slice(x, 2, 1, 4, 2), {2, 3, 2}, [&](const Shape& i) {
    return at(x, {i[0], i[1], 1 + 2 * i[2]});
  });
  expect_values(pad(x, {0, 1, 2}, {1, 0, 1}, 7), {3, 4, 7}, [&](const Shape& i) {
    const bool inside = i[0] < 2 && i[1] >= 1 && i[2] >= 2 && i[2] < 6;
    return inside ? at(x, {i[0], i[1] - 1, i[2] - 2}) : 7;
  });
}

TEST(OpValues, MatmulOfBatchesAndTransposes) {
  const Tensor a = random({2, 3, 4}, 6), at_ = permute(a, {0, 2, 1});
  const Tensor b = random({2, 4, 5}, 7), bt = permute(b, {0, 2, 1});
  const auto batched = [&](const Shape& i) {
    double sum = 0;
    for (std::int64_t k = 0; k < 4; ++k) sum += at(a, {i[0], i[1], k}) * at(b, {i[0], k, i[2]});
    return sum;
  };
  expect_values(matmul(a, b), {2, 3, 5}, batched);
  expect_values(matmul(at_, b, true), {2, 3, 5}, batched);
  expect_values(matmul(a, bt, false, true), {2, 3, 5}, batched);
  expect_values(matmul(at_, bt, true, true), {2, 3, 5}, batched);
  const Tensor shared = random({4, 5}, 8);
  const auto with_shared = [&](const Shape& i) {
    double sum = 0;
    for (std::int64_t k = 0; k < 4; ++k) sum += at(a, {i[0], i[1], k}) * at(shared, {k, i[2]});
    return sum;
  };
  expect_values(matmul(a, shared), {2, 3, 5}, with_shared);
  expect_values(matmul(at_, permute(shared, {1, 0}), true, true), {2, 3, 5}, with_shared);
}

TEST(OpValues, Conv2dWithStridePaddingAndDilation) {
  const Tensor x = random({2, 6, 7, 3}, 9), filters = random({4, 3, 2, 3}, 10), bias = random({4}, 11);
  const Conv2dOptions o{
      .stride_h = 2, .stride_w = 3, .pad_h = 1, .pad_w = 2, .dilation_h = 2, .dilation_w = 3};
  // (6 + 2 - 2 * 2 - 1) / 2 + 1 = 2, (7 + 4 - 3 - 1) / 3 + 1 = 3.
  expect_values(conv2d(x, filters, bias, o), {2, 2, 3, 4}, [&](const Shape& i) {
    double sum = at(bias, {i[3]});
    for_each_index({3, 2, 3}, [&](const Shape& f) {
      const std::int64_t row = i[1] * 2 - 1 + 2 * f[0], column = i[2] * 3 - 2 + 3 * f[1];
      if (row < 0 || row >= 6 || column < 0 || column >= 7) return;
      sum += at(x, {i[0], row, column, f[2]}) * at(filters, {i[3], f[0], f[1], f[2]});
    });
    return sum;
  });
}

TEST(OpValues, PoolingLeavesPaddingOut) {
  const Tensor x = random({2, 5, 6, 3}, 12);
  const Pool2dOptions o{.kernel_h = 3, .kernel_w = 2, .stride_h = 2, .stride_w = 3, .pad_h = 1, .pad_w = 1};
  const auto window = [&](const Shape& i, const std::function<void(double)>& f) {
    for_each_index({3, 2}, [&](const Shape& w) {
      const std::int64_t row = i[1] * 2 - 1 + w[0], column = i[2] * 3 - 1 + w[1];
      if (row >= 0 && row < 5 && column >= 0 && column < 6) f(at(x, {i[0], row, column, i[3]}));
    });
  };
  expect_values(max_pool2d(x, o), {2, 3, 3, 3}, [&](const Shape& i) {
    double best = -2;
    window(i, [&](double v) { best = std::max(best, v); });
    return best;
  });
  expect_values(avg_pool2d(x, o), {2, 3, 3, 3}, [&](const Shape& i) {
    double sum = 0, count = 0;
    window(i, [&](double v) { sum += v, ++count; });
    return sum / count;
  });
  expect_values(global_avg_pool2d(x), {2, 3}, [&](const Shape& i) {
    double sum = 0;
    for_each_index({5, 6}, [&](const Shape& p) { sum += at(x, {i[0], p[0], p[1], i[1]}); });
    return sum / 30;
  });
}

TEST(OpValues, LinearOfSeveralLeadingAxes) {
  const Tensor x = random({2, 3, 4}, 13), w = random({5, 4}, 14), bias = random({5}, 15);
  const auto dense = [&](const Shape& i) {
    double sum = at(bias, {i[2]});
    for (std::int64_t k = 0; k < 4; ++k) sum += at(x, {i[0], i[1], k}) * at(w, {i[2], k});
    return sum;
  };
  expect_values(linear(x, w, bias), {2, 3, 5}, dense);
  expect_values(linear_block(x, w, bias), {2, 3, 5}, [&](const Shape& i) { return std::max(dense(i), 0.0); });
}

TEST(OpValues, BatchNormNormalisesAndMovesItsStatistics) {
  const Tensor x = random({2, 3, 2, 2}, 16), gamma = random({2}, 17), beta = random({2}, 18);
  const Tensor mean_before = random({2}, 19),
               variance_before = Tensor::full({2}, 2, DType::float64, reference);
  const Tensor mean_after = mean_before.clone(), variance_after = variance_before.clone();
  const auto moment = [&](std::int64_t c, double centre, int power) {
    double sum = 0;
    for_each_index({2, 3, 2}, [&](const Shape& i) {
      sum += std::pow(at(x, {i[0], i[1], i[2], c}) - centre, power);
    });
    return sum / 12;
  };
  const BatchNormOptions options{.epsilon = 0.01, .momentum = 0.9};
  expect_values(batch_norm(x, gamma, beta, mean_after, variance_after, options), x.shape(),
                [&](const Shape& i) {
                  const double m = moment(i[3], 0, 1), v = moment(i[3], m, 2);
                  return (at(x, i) - m) / std::sqrt(v + 0.01) * at(gamma, {i[3]}) + at(beta, {i[3]});
                });
  expect_values(mean_after, {2},
                [&](const Shape& i) { return 0.9 * at(mean_before, i) + 0.1 * moment(i[0], 0, 1); });
  expect_values(variance_after, {2},
                [&](const Shape& i) { return 0.9 * 2 + 0.1 * moment(i[0], moment(i[0], 0, 1), 2); });
  const BatchNormOptions inference{.epsilon = 0.01, .training = false};
  expect_values(
      batch_norm(x, gamma, beta, mean_before, variance_before, inference), x.shape(), [&](const Shape& i) {
        return (at(x, i) - at(mean_before, {i[3]})) / std::sqrt(2.01) * at(gamma, {i[3]}) + at(beta, {i[3]});
      });
  EXPECT_EQ(variance_before.to_doubles(), (std::vector<double>{2, 2}));
}

TEST(OpValues, SoftmaxAndItsLogarithm) {
  const Tensor x = random({2, 3, 4}, 20);
  const auto share = [&](const Shape& i) {
    double sum = 0;
    for (std::int64_t j = 0; j < 4; ++j) sum += std::exp(at(x, {i[0], i[1], j}));
    return std::exp(at(x, i)) / sum;
  };
  expect_values(softmax(x), {2, 3, 4}, share);
  expect_values(log_softmax(x), {2, 3, 4}, [&](const Shape& i) { return std::log(share(i)); });
  // Large logits must not overflow.
  const Tensor large = Tensor::from(std::vector<float>{1000, 999}, {1, 2});
  EXPECT_NEAR(softmax(large).to_doubles()[0], 1 / (1 + std::exp(-1.0)), 1e-6);
  EXPECT_NEAR(log_softmax(large).to_doubles()[1], -1 - std::log1p(std::exp(-1.0)), 1e-6);
}

TEST(OpValues, CrossEntropyFollowsPyTorchsFormula) {
  const Tensor logits = random({5, 3}, 21);
  const std::vector<std::int32_t> label = {0, 2, 1, 1, 2};
  const Tensor labels = Tensor::from(label, {5}, reference);
  const std::vector<double> weight = {0.5, 2, 1.25};
  const Tensor class_weights = Tensor::from(weight, {3}, reference);
  const auto direct = [&](bool weighted, double smoothing) {
    double total = 0, divisor = 0;
    for (std::int64_t n = 0; n < 5; ++n) {
      double sum = 0;
      for (std::int64_t c = 0; c < 3; ++c) sum += std::exp(at(logits, {n, c}));
      const std::int32_t y = label[static_cast<std::size_t>(n)];
      for (std::int32_t c = 0; c < 3; ++c) {
        const double target = (c == y ? 1 - smoothing : 0) + smoothing / 3;
        const double w = weighted ? weight[static_cast<std::size_t>(c)] : 1;
        total -= w * target * std::log(std::exp(at(logits, {n, c})) / sum);
      }
      divisor += weighted ? weight[static_cast<std::size_t>(y)] : 1;
    }
    return total / divisor;
  };
  EXPECT_NEAR(cross_entropy(logits, labels).item(), direct(false, 0), 1e-12);
  EXPECT_NEAR(cross_entropy(logits, labels, {}, {.label_smoothing = 0.1}).item(), direct(false, 0.1), 1e-12);
  EXPECT_NEAR(cross_entropy(logits, labels, class_weights).item(), direct(true, 0), 1e-12);
  EXPECT_NEAR(cross_entropy(logits, labels, class_weights, {.label_smoothing = 0.2}).item(),
              direct(true, 0.2), 1e-12);
  EXPECT_EQ(cross_entropy(logits, labels).shape(), Shape{});
}

TEST(OpValues, DropoutKeepsTheShareAndTheMeanItShould) {
  // 100,000 elements: the share kept has a deviation of 0.0014 or less, 5 of which are allowed.
  for (const double rate : {0.1, 0.23, 0.5, 0.9}) {
    const RandomKey key{.seed = 4, .purpose = kernels::Purpose::dropout, .stream = 1};
    Tensor x = Tensor::full({100000}, 1, DType::float32);
    x.collect_gradient();
    const Tensor y = dropout(x, rate, key);
    double kept = 0;
    for (const float v : y.to_vector<float>()) {
      if (v == 0) continue;
      ++kept;
      ASSERT_FLOAT_EQ(v, static_cast<float>(1 / (1 - rate)));
    }
    EXPECT_NEAR(kept / 100000, 1 - rate, 0.007);
    backward(sum(y));
    EXPECT_EQ(x.grad().to_vector<float>(), y.to_vector<float>()) << "the backward drew another mask";
  }
}

TEST(OpValues, DropoutDrawsAnewForEachStepAndStream) {
  const Tensor x = Tensor::full({1000}, 1, DType::float32);
  const RandomKey key{.seed = 4, .purpose = kernels::Purpose::dropout, .stream = 1, .step = 1};
  RandomKey next = key, other = key;
  next.step = 2;
  other.stream = 2;
  const auto values = [&](const RandomKey& k) { return dropout(x, 0.5, k).to_vector<float>(); };
  EXPECT_EQ(values(key), values(key));
  EXPECT_NE(values(key), values(next));
  EXPECT_NE(values(key), values(other));
  EXPECT_TRUE(dropout(x, 0, key).same_memory(x));
}

TEST(OpValues, AugmentScalesBytesAndFollowsMaps) {
  const std::vector<std::uint8_t> bytes = {0, 51, 102, 153, 204, 255};
  const Tensor images = Tensor::from(bytes, {1, 2, 3, 1}, reference);
  const std::vector<double> scaled = augment(images, {}, DType::float64).to_doubles();
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(scaled[i], 0.2 * static_cast<double>(i), 1e-12);
  // The identity, mirrored.
  const kernels::Affine mirror{{1, 0, 0}, {0, 1, 0}, 1};
  const Tensor map = Tensor::from_bytes(&mirror, sizeof mirror, DType::uint8, {sizeof mirror}, reference);
  const std::vector<double> mirrored = augment(images, map, DType::float64).to_doubles();
  const std::vector<double> expected = {0.4, 0.2, 0, 1, 0.8, 0.6};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(mirrored[i], expected[i], 1e-6);
}

}  // namespace
}  // namespace roentgen::tests

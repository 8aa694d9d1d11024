// Fused blocks are the composition of the plain ops: the same values, masks and gradients.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/tape.h"
#include "tests/engine/op_table.h"

namespace roentgen::tests {
namespace {

using namespace engine;

// Values and gradients of f(x, weights, bias) under a random cotangent.
std::vector<std::vector<double>> evaluate(const TensorFunction& f, const std::vector<Tensor>& inputs) {
  std::vector<Tensor> leaves = inputs;
  for (Tensor& leaf : leaves) leaf.collect_gradient();
  const Tensor y = f(leaves);
  backward(y, random_tensor(y.shape(), y.dtype(), y.device(), -1, 1, 60));
  std::vector<std::vector<double>> results = {y.to_doubles()};
  for (const Tensor& leaf : leaves) results.push_back(leaf.grad().to_doubles());
  return results;
}

void expect_equal(const TensorFunction& fused, const TensorFunction& plain, const std::vector<Tensor>& inputs,
                  double tolerance) {
  const auto a = evaluate(fused, inputs), b = evaluate(plain, inputs);
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    double largest = 0;
    for (const double v : b[i]) largest = std::max(largest, std::abs(v));
    ASSERT_EQ(a[i].size(), b[i].size());
    for (std::size_t j = 0; j < a[i].size(); ++j) {
      ASSERT_NEAR(a[i][j], b[i][j], tolerance * largest) << "result " << i << ", element " << j;
      if (i == 0) {
        ASSERT_EQ(a[i][j] == 0, b[i][j] == 0) << "another mask at element " << j;
      }
    }
  }
}

// In double on reference the order of sums may differ, no more; in float on the cpu sums of up to 2000 terms
// are rounded at each step.
void on_both_devices(const TensorFunction& fused, const TensorFunction& plain,
                     const std::vector<Shape>& shapes) {
  for (const bool reference : {true, false}) {
    const Device device = reference ? Device{kernels::Reference{}} : Device{kernels::Cpu{}};
    std::vector<Tensor> inputs;
    for (const Shape& shape : shapes) {
      inputs.push_back(random_tensor(shape, reference ? DType::float64 : DType::float32, device, -1, 1,
                                     static_cast<std::uint32_t>(70 + inputs.size())));
    }
    expect_equal(fused, plain, inputs, reference ? 1e-13 : 4e-6);
  }
}

TEST(Fused, ConvBlockIsItsParts) {
  const RandomKey key{.seed = 9, .purpose = kernels::Purpose::dropout, .stream = 1, .step = 3};
  for (const std::int64_t pool : {1, 2, 3}) {
    for (const double rate : {0.0, 0.23}) {
      for (const Conv2dOptions& conv : {Conv2dOptions{}, Conv2dOptions{.pad_h = 1, .pad_w = 1},
                                        Conv2dOptions{.stride_h = 2, .dilation_w = 2}}) {
        SCOPED_TRACE(testing::Message()
                     << "pool " << pool << " rate " << rate << " stride " << conv.stride_h);
        ConvBlockOptions options{.conv = conv, .pool = pool, .rate = rate};
        options.key = key;
        on_both_devices([=](const std::vector<Tensor>& x) { return conv_block(x[0], x[1], x[2], options); },
                        [=](const std::vector<Tensor>& x) {
                          const Tensor active = relu(conv2d(x[0], x[1], x[2], conv));
                          const Pool2dOptions windows{
                              .kernel_h = pool, .kernel_w = pool, .stride_h = pool, .stride_w = pool};
                          return dropout(max_pool2d(active, windows), rate, key);
                        },
                        {{3, 13, 15, 3}, {8, 3, 3, 3}, {8}});
      }
    }
  }
}

TEST(Fused, LinearBlockIsItsParts) {
  const RandomKey key{.seed = 9, .purpose = kernels::Purpose::dropout, .stream = 4, .step = 3};
  for (const double rate : {0.0, 0.4}) {
    on_both_devices(
        [=](const std::vector<Tensor>& x) { return linear_block(x[0], x[1], x[2], rate, key); },
        [=](const std::vector<Tensor>& x) { return dropout(relu(linear(x[0], x[1], x[2])), rate, key); },
        {{11, 129}, {31, 129}, {31}});
  }
}

TEST(Fused, CrossEntropyIsLogSoftmaxAndMean) {
  const std::vector<std::int32_t> label = {2, 0, 1, 1, 2, 0, 0};
  std::vector<double> chosen(21, 0.0);
  for (std::size_t n = 0; n < 7; ++n) chosen[n * 3 + static_cast<std::size_t>(label[n])] = -1.0 / 7;
  on_both_devices(
      [&](const std::vector<Tensor>& x) {
        return cross_entropy(x[0], Tensor::from(label, {7}, x[0].device()));
      },
      [&](const std::vector<Tensor>& x) {
        return sum(mul(log_softmax(x[0]), from_doubles(chosen, {7, 3}, x[0].dtype(), x[0].device())));
      },
      {{7, 3}});
}

}  // namespace
}  // namespace roentgen::tests

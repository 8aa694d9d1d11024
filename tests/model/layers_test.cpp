#include "model/layers.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "engine/gradcheck.h"
#include "model/error.h"
#include "model/window.h"
#include "tests/model/support.h"

namespace roentgen::model {
namespace {

using engine::DType;
using test::message_of;
using test::random_tensor;
using testing::HasSubstr;

const engine::Device reference = kernels::Reference{};

// Keras' rule, written from its documentation: out = ceil(in / stride), the total padding is what the last
// window lacks, and its odd row goes after.
struct Same {
  std::int64_t out, before;
  Same(std::int64_t in, std::int64_t window, std::int64_t stride) : out((in + stride - 1) / stride) {
    before = std::max<std::int64_t>((out - 1) * stride + window - in, 0) / 2;
  }
};

TEST(Layers, OutputShapes) {
  EXPECT_EQ(Conv2D(32, 3).output_shape({256, 256, 3}), (Shape{254, 254, 32}));
  EXPECT_EQ(Conv2D(8, {3, 5}, {.strides = {2, 1}}).output_shape({10, 11, 4}), (Shape{4, 7, 8}));
  EXPECT_EQ(Conv2D(8, 3, {.dilation = 2}).output_shape({10, 11, 4}), (Shape{6, 7, 8}));
  EXPECT_EQ(Conv2D(8, 3, {.strides = 2, .padding = Padding::same}).output_shape({7, 8, 4}), (Shape{4, 4, 8}));
  EXPECT_EQ(MaxPooling2D(2).output_shape({125, 125, 64}), (Shape{62, 62, 64}));
  EXPECT_EQ(MaxPooling2D(3, {.strides = 2, .padding = Padding::same}).output_shape({9, 8, 2}),
            (Shape{5, 4, 2}));
  EXPECT_EQ(GlobalAveragePooling2D().output_shape({7, 5, 9}), (Shape{9}));
  EXPECT_EQ(Flatten().output_shape({30, 30, 128}), (Shape{115200}));
  EXPECT_EQ(Dense(64).output_shape({115200}), (Shape{64}));
}

TEST(Layers, RefuseWhatMakesNoSense) {
  EXPECT_THROW(Conv2D(0, 3), std::invalid_argument);
  EXPECT_THROW(Conv2D(1, {3, 0}), std::invalid_argument);
  EXPECT_THROW(Conv2D(1, 3, {.strides = -1}), std::invalid_argument);
  EXPECT_THROW(MaxPooling2D({2, -2}), std::invalid_argument);
  EXPECT_THROW(Dense(0), std::invalid_argument);
  EXPECT_THROW(Dropout(1.0), std::invalid_argument);
  EXPECT_THROW(Dropout(-0.1), std::invalid_argument);
  EXPECT_THROW(Dropout(std::nan("")), std::invalid_argument);
  EXPECT_THROW(BatchNormalization(1.5), std::invalid_argument);
  EXPECT_THROW(BatchNormalization(0.9, 0), std::invalid_argument);
  EXPECT_THAT(message_of<std::invalid_argument>([] {
                Conv2D(4, 5).output_shape({4, 9, 3});
              }),
              HasSubstr("5x5 does not fit into [4, 9, 3]"));
  EXPECT_THAT(message_of<std::invalid_argument>([] { Conv2D(4, 5).output_shape({4}); }),
              HasSubstr("images [h, w, c]"));
  EXPECT_THAT(message_of<std::invalid_argument>([] {
                Residual(Chain(Conv2D(4, 3))).output_shape({8, 8, 4});
              }),
              HasSubstr("[6, 6, 4] and the shortcut in [8, 8, 4]"));
}

// 'same' with strides pads more after than before; every element against sums written out here.
TEST(Layers, SamePaddingIsThatOfKeras) {
  for (const auto& [h, w, kernel, stride] : std::vector<std::array<std::int64_t, 4>>{
           {7, 8, 3, 1}, {7, 8, 3, 2}, {8, 8, 7, 2}, {5, 6, 2, 2}, {6, 5, 1, 2}, {9, 4, 4, 3}}) {
    const std::int64_t c = 2, k = 3;
    Sequential net({h, w, c}, Conv2D(k, kernel, {.strides = stride, .padding = Padding::same}));
    net.build(reference, DType::float64);
    const Tensor x = random_tensor({2, h, w, c}, DType::float64, reference, 1);
    const std::vector<double> y = net.forward(x, {}).to_doubles(), in = x.to_doubles(),
                              f = net.state()[0].tensor.to_doubles();
    const Same rows(h, kernel, stride), columns(w, kernel, stride);
    std::size_t at = 0;
    ASSERT_EQ(static_cast<std::int64_t>(y.size()), 2 * rows.out * columns.out * k);
    for (std::int64_t n = 0; n < 2; ++n)
      for (std::int64_t oy = 0; oy < rows.out; ++oy)
        for (std::int64_t ox = 0; ox < columns.out; ++ox)
          for (std::int64_t filter = 0; filter < k; ++filter, ++at) {
            double sum = 0;
            for (std::int64_t r = 0; r < kernel; ++r)
              for (std::int64_t s = 0; s < kernel; ++s)
                for (std::int64_t channel = 0; channel < c; ++channel) {
                  const std::int64_t iy = oy * stride - rows.before + r,
                                     ix = ox * stride - columns.before + s;
                  if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
                  sum += in[static_cast<std::size_t>(((n * h + iy) * w + ix) * c + channel)] *
                         f[static_cast<std::size_t>(((filter * kernel + r) * kernel + s) * c + channel)];
                }
            ASSERT_NEAR(y[at], sum, 1e-12) << h << "x" << w << " kernel " << kernel << " stride " << stride;
          }
  }
}

TEST(Layers, PoolingLeavesPaddingOut) {
  for (const auto& [h, w, pool, stride] :
       std::vector<std::array<std::int64_t, 4>>{{7, 8, 3, 2}, {8, 7, 3, 2}, {5, 5, 2, 2}, {6, 7, 3, 1}}) {
    Sequential largest({h, w, 2}, MaxPooling2D(pool, {.strides = stride, .padding = Padding::same}));
    Sequential average({h, w, 2}, AveragePooling2D(pool, {.strides = stride, .padding = Padding::same}));
    largest.build(reference, DType::float64);
    average.build(reference, DType::float64);
    // All below zero: a padding of zeros would win every maximum that sees it.
    const Tensor x = engine::sub(random_tensor({1, h, w, 2}, DType::float64, reference, 2),
                                 Tensor::full({1}, 2.0, DType::float64, reference));
    const std::vector<double> in = x.to_doubles(), a = largest.forward(x, {}).to_doubles(),
                              b = average.forward(x, {}).to_doubles();
    const Same rows(h, pool, stride), columns(w, pool, stride);
    ASSERT_EQ(static_cast<std::int64_t>(a.size()), rows.out * columns.out * 2);
    ASSERT_EQ(a.size(), b.size());
    std::size_t at = 0;
    for (std::int64_t oy = 0; oy < rows.out; ++oy)
      for (std::int64_t ox = 0; ox < columns.out; ++ox)
        for (std::int64_t channel = 0; channel < 2; ++channel, ++at) {
          double best = -100, sum = 0;
          int count = 0;
          for (std::int64_t r = 0; r < pool; ++r)
            for (std::int64_t s = 0; s < pool; ++s) {
              const std::int64_t iy = oy * stride - rows.before + r, ix = ox * stride - columns.before + s;
              if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
              const double value = in[static_cast<std::size_t>((iy * w + ix) * 2 + channel)];
              best = std::max(best, value);
              sum += value;
              ++count;
            }
          ASSERT_DOUBLE_EQ(a[at], best);
          ASSERT_NEAR(b[at], sum / count, 1e-12);
        }
  }
}

// The gradients through padding that only one side has.
TEST(Layers, GradientsThroughUnevenPadding) {
  for (const auto make : std::vector<std::unique_ptr<Layer> (*)()>{
           []() -> std::unique_ptr<Layer> {
             return std::make_unique<Conv2D>(2, 3, Conv2DOptions{.strides = 2, .padding = Padding::same});
           },
           []() -> std::unique_ptr<Layer> {
             return std::make_unique<MaxPooling2D>(3, Pooling2DOptions{2, Padding::same});
           },
           []() -> std::unique_ptr<Layer> {
             return std::make_unique<AveragePooling2D>(3, Pooling2DOptions{2, Padding::same});
           }}) {
    Sequential net({6, 8, 2}, Chain());
    net.add(make());
    net.build(reference, DType::float64);
    const auto result =
        engine::gradcheck([&](const std::vector<Tensor>& inputs) { return net.forward(inputs[0], {}); },
                          {random_tensor({2, 6, 8, 2}, DType::float64, reference, 3)});
    EXPECT_TRUE(result) << net.layers().layers()[0]->kind() << ": " << result.message;
  }
}

TEST(Layers, DropoutActsInTrainingOnly) {
  Sequential net({100}, Dropout(0.3));
  net.build(reference, DType::float64);
  const Tensor x = Tensor::full({50, 100}, 1.0, DType::float64, reference);
  EXPECT_EQ(net.forward(x, {}).to_doubles(), x.to_doubles());
  const Context context{.training = true, .seed = 4, .step = 2};
  const std::vector<double> once = net.forward(x, context).to_doubles();
  const auto dropped = std::count(once.begin(), once.end(), 0.0);
  EXPECT_NEAR(static_cast<double>(dropped) / 5000, 0.3, 5 * std::sqrt(0.21 / 5000));  // five deviations
  EXPECT_EQ(once, net.forward(x, context).to_doubles());
  Context other = context;
  other.step = 3;
  EXPECT_NE(once, net.forward(x, other).to_doubles());
}

TEST(Layers, DropoutsOfOneNetworkDiffer) {
  Sequential net({1000}, Dropout(0.5), Dropout(0.5));
  net.build(reference, DType::float64);
  const Tensor x = Tensor::full({4, 1000}, 1.0, DType::float64, reference);
  const std::vector<double> y = net.forward(x, {.training = true, .seed = 1}).to_doubles();
  // The same mask twice would keep a half.
  const auto kept = static_cast<double>(std::count(y.begin(), y.end(), 4.0));
  EXPECT_NEAR(kept / 4000, 0.25, 5 * std::sqrt(0.1875 / 4000));
}

TEST(Layers, BatchNormalizationKeepsStatistics) {
  Sequential net({3}, BatchNormalization(0.5, 1e-3));
  net.build(reference, DType::float64);
  const Tensor x = random_tensor({64, 3}, DType::float64, reference, 6);
  const Tensor before = net.forward(x, {});
  EXPECT_LT(test::distance(before, engine::scale(x, 1 / std::sqrt(1 + 1e-3))), 1e-12);
  for (int i = 0; i < 40; ++i) net.forward(x, {.training = true});
  // After forty halvings the running statistics are the batch's: inference then equals training.
  const Tensor training = net.forward(x, {.training = true}), inference = net.forward(x, {});
  EXPECT_LT(test::distance(training, inference), 1e-9);
  ASSERT_EQ(net.statistics().size(), 2u);
  EXPECT_EQ(net.statistics()[0].name, "norm1.moving_mean");
  EXPECT_FALSE(net.statistics()[0].tensor.requires_grad());
}

TEST(Layers, ActivationsRoundTripByName) {
  for (const Activation a : {Activation::linear, Activation::relu, Activation::leaky_relu,
                             Activation::sigmoid, Activation::tanh, Activation::gelu, Activation::softmax}) {
    EXPECT_EQ(parse_activation(to_string(a)), a);
  }
  EXPECT_THROW(parse_activation("swish"), std::invalid_argument);
  const Tensor x = Tensor::from<double>({-2, 3}, {1, 2}, reference);
  EXPECT_EQ(apply(Activation::leaky_relu, x).to_doubles(), (std::vector<double>{-0.4, 3}));
  EXPECT_EQ(apply(Activation::relu, x).to_doubles(), (std::vector<double>{0, 3}));
  EXPECT_NEAR(apply(Activation::softmax, x).to_doubles()[1], 1 / (1 + std::exp(-5.0)), 1e-12);
}

}  // namespace
}  // namespace roentgen::model

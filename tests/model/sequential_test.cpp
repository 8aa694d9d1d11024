#include "model/sequential.h"

#include <gmock/gmock.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "engine/optimizer.h"
#include "model/xray_cnn.h"
#include "tests/model/support.h"

namespace roentgen::model {
namespace {

using engine::DType;
using test::distance;
using test::message_of;
using test::random_tensor;
using testing::HasSubstr;

const engine::Device reference = kernels::Reference{};
const engine::Device cpu = kernels::Cpu{};

Sequential small_network() {
  return xray_cnn({.image_size = 30,
                   .channels = 2,
                   .filters = {4, 6},
                   .dropout = {0.3, 0.2},
                   .dense = 9,
                   .dense_dropout = 0.4});
}

TEST(Sequential, SummaryOfTheRecipe) {
  EXPECT_EQ(xray_cnn().summary(), R"(Model: "sequential"
_________________________________________________________________
 Layer (type)                Output Shape              Param #
=================================================================
 conv1 (Conv2D)              (None, 254, 254, 32)      896

 max_pool1 (MaxPooling2D)    (None, 127, 127, 32)      0

 dropout1 (Dropout)          (None, 127, 127, 32)      0

 conv2 (Conv2D)              (None, 125, 125, 64)      18,496

 max_pool2 (MaxPooling2D)    (None, 62, 62, 64)        0

 dropout2 (Dropout)          (None, 62, 62, 64)        0

 conv3 (Conv2D)              (None, 60, 60, 128)       73,856

 max_pool3 (MaxPooling2D)    (None, 30, 30, 128)       0

 dropout3 (Dropout)          (None, 30, 30, 128)       0

 flatten1 (Flatten)          (None, 115200)            0

 dense1 (Dense)              (None, 64)                7,372,864

 dropout4 (Dropout)          (None, 64)                0

 dense2 (Dense)              (None, 3)                 195
=================================================================
Total params: 7,466,307
Trainable params: 7,466,307
Non-trainable params: 0
_________________________________________________________________
)");
}

TEST(Sequential, SummaryWidensForLongNamesAndCountsStatistics) {
  const std::string table =
      Sequential({8, 8, 3}, BatchNormalization(), GlobalAveragePooling2D(), Dense(2)).summary("tiny");
  EXPECT_THAT(table, HasSubstr(" norm1 (BatchNormalization)             (None, 8, 8, 3)           12\n"));
  EXPECT_THAT(table, HasSubstr(" global_pool1 (GlobalAveragePooling2D)  (None, 3)                 0\n"));
  EXPECT_THAT(table, HasSubstr("Total params: 20\nTrainable params: 14\nNon-trainable params: 6\n"));
}

TEST(Sequential, ReadsAsTheRecipeAndNamesItsWeights) {
  Sequential net({256, 256, 3},                                                     //
                 Conv2D(32, 3, Activation::relu), MaxPooling2D(2), Dropout(0.23),   //
                 Conv2D(64, 3, Activation::relu), MaxPooling2D(2), Dropout(0.25),   //
                 Conv2D(128, 3, Activation::relu), MaxPooling2D(2), Dropout(0.25),  //
                 Flatten(), Dense(64, Activation::relu), Dropout(0.4),              //
                 Dense(3, Activation::softmax));
  EXPECT_EQ(net.config(), xray_cnn().config());
  EXPECT_EQ(net.parameter_count(), 7'466'307);
  std::vector<std::string> names;
  for (const ParameterSpec& spec : net.parameter_specs()) names.push_back(spec.name);
  EXPECT_EQ(names, (std::vector<std::string>{"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias",
                                             "conv3.weight", "conv3.bias", "dense1.weight", "dense1.bias",
                                             "dense2.weight", "dense2.bias"}));
  EXPECT_EQ(net.parameter_specs()[6].shape, (Shape{64, 115200}));
}

TEST(Sequential, NamesNestedPaths) {
  Sequential net({8, 8, 4},
                 Residual(Chain(Conv2D(4, 3, {.padding = Padding::same}), BatchNormalization()), Chain()),
                 Residual(Chain(Conv2D(6, 1, {.use_bias = false})), Chain(Conv2D(6, 1))));
  std::vector<std::string> names;
  for (const ParameterSpec& spec : net.parameter_specs()) names.push_back(spec.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"residual1.main.conv1.weight", "residual1.main.conv1.bias",
                                      "residual1.main.norm1.gamma", "residual1.main.norm1.beta",
                                      "residual1.main.norm1.moving_mean",
                                      "residual1.main.norm1.moving_variance", "residual2.main.conv1.weight",
                                      "residual2.shortcut.conv1.weight", "residual2.shortcut.conv1.bias"}));
  EXPECT_EQ(net.layers().layers()[1]->number(), 3u);  // after residual1 and its two layers
}

struct Setting {
  engine::Device device;
  DType dtype;
  double tolerance;
};

// One step's logits and gradients with and without fused blocks: the same masks, the same values to rounding.
TEST(Sequential, FusedEqualsPlain) {
  // float64 differs by the order of its sums alone; float32 likewise with 24 bits.
  for (const Setting& s : {Setting{reference, DType::float64, 1e-12},
                           Setting{reference, DType::float32, 1e-5}, Setting{cpu, DType::float32, 1e-5}}) {
    Sequential net = small_network();
    net.build(s.device, s.dtype, 3);
    const Tensor x = random_tensor({5, 30, 30, 2}, s.dtype, s.device, 1);
    const Tensor labels = Tensor::from<std::int32_t>({0, 1, 2, 1, 0}, {5}, s.device);
    for (const bool training : {false, true}) {
      const Context context{.training = training, .seed = 11, .step = 7};
      std::vector<Tensor> values[2];
      for (const bool fuse : {false, true}) {
        net.fuse(fuse);
        net.parameters().clear_gradients();
        const Tensor logits = net.forward(x, context);
        engine::backward(engine::cross_entropy(logits, labels));
        values[fuse].push_back(logits.clone());
        for (const NamedTensor& p : net.parameters().all()) values[fuse].push_back(p.tensor.grad().clone());
      }
      for (std::size_t i = 0; i < values[0].size(); ++i) {
        EXPECT_LE(distance(values[1][i], values[0][i]), s.tolerance)
            << engine::to_string(s.device) << " training " << training << " value " << i;
      }
    }
  }
}

// bfloat16 activations over float32 parameters: 8 bits, so 2^-8 per layer of four.
TEST(Sequential, Bfloat16FollowsFloat32) {
  Sequential exact = small_network(), rounded = small_network();
  exact.build(cpu, DType::float32, 3);
  rounded.build(cpu, DType::bfloat16, 3);
  EXPECT_EQ(rounded.state()[0].tensor.dtype(), DType::float32);
  const Tensor x = random_tensor({5, 30, 30, 2}, DType::float32, cpu, 1);
  const Context context{.training = true, .seed = 11};
  const Tensor logits = exact.forward(x, context);
  for (const bool fuse : {false, true}) {
    rounded.fuse(fuse);
    const Tensor y = rounded.forward(x, context);
    EXPECT_EQ(y.dtype(), DType::bfloat16);
    EXPECT_LT(distance(y, logits), 4.0 / 256) << "fused " << fuse;
  }
  EXPECT_EQ(rounded.probabilities(x).dtype(), DType::float32);
}

TEST(Sequential, ForwardGivesLogitsAndProbabilitiesTheirSoftmax) {
  Sequential net({6}, Dense(4, Activation::softmax));
  net.build(reference, DType::float64, 2);
  const Tensor x = random_tensor({3, 6}, DType::float64, reference, 1);
  const Tensor logits = net.forward(x, {});
  const Tensor direct = engine::linear(x, net.state()[0].tensor, net.state()[1].tensor);
  EXPECT_EQ(logits.to_doubles(), direct.to_doubles());
  EXPECT_LT(distance(net.probabilities(x), engine::softmax(direct)), 1e-15);
  EXPECT_FALSE(net.probabilities(x).requires_grad());
  Sequential separate({6}, Dense(4), ActivationLayer(Activation::softmax));
  separate.build(reference, DType::float64, 2);
  EXPECT_EQ(separate.forward(x, {}).to_doubles(), logits.to_doubles());
}

TEST(Sequential, SameWeightsOnEveryDevice) {
  Sequential a = small_network(), b = small_network();
  a.build(reference, DType::float32, 9);
  b.build(cpu, DType::float32, 9);
  for (std::size_t i = 0; i < a.state().size(); ++i) {
    EXPECT_EQ(a.state()[i].tensor.to_doubles(), b.state()[i].tensor.to_doubles()) << a.state()[i].name;
  }
  EXPECT_LT(distance(a.forward(random_tensor({2, 30, 30, 2}, DType::float32, reference, 1), {}),
                     b.forward(random_tensor({2, 30, 30, 2}, DType::float32, cpu, 1), {})),
            1e-5);
}

TEST(Sequential, RefusesMisuse) {
  Sequential net = small_network();
  const Tensor x = random_tensor({2, 30, 30, 2}, DType::float32, cpu, 1);
  EXPECT_THAT(message_of<std::invalid_argument>([&] { net.forward(x, {}); }), HasSubstr("before build()"));
  net.build(cpu);
  EXPECT_THROW(net.add(Dropout(0.1)), std::invalid_argument);
  EXPECT_THAT(message_of<std::invalid_argument>([&] {
                net.forward(random_tensor({2, 30, 31, 2}, DType::float32, cpu, 1), {});
              }),
              HasSubstr("takes [n, 30, 30, 2] on cpu, not [2, 30, 31, 2] on cpu"));
  EXPECT_THROW(net.forward(x.to(reference), {}), std::invalid_argument);
  EXPECT_THROW(small_network().build(cpu, DType::int32), std::invalid_argument);
  EXPECT_THAT(message_of<std::invalid_argument>([] { xray_cnn({.image_size = 20}); }),
              HasSubstr("take larger images"));
}

TEST(Sequential, ShapesOfOtherDepths) {
  const Sequential net =
      xray_cnn({.image_size = 64, .filters = {8, 8, 8, 8}, .dropout = {0.1}, .classes = 5});
  EXPECT_EQ(net.output_shape(), (Shape{5}));
  EXPECT_EQ(net.parameter_specs()[8].name, "dense1.weight");
  EXPECT_EQ(net.parameter_specs()[8].shape, (Shape{64, 2 * 2 * 8}));
  EXPECT_EQ(xray_cnn({.image_size = 8, .filters = {}, .dropout = {}}).parameter_specs()[0].shape,
            (Shape{64, 8 * 8 * 3}));
}

// Each of parameter, output and gradient is found where it was put.
TEST(Sequential, LocatesTheFirstNonFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  Sequential net({4, 4, 2}, Conv2D(3, 3, {.padding = Padding::same}), BatchNormalization(), Flatten(),
                 Dense(2));
  net.build(reference, DType::float64, 1);
  const Tensor x = random_tensor({2, 4, 4, 2}, DType::float64, reference, 1);
  const Context context{.training = true};
  const auto statistics = net.statistics()[0].tensor.to_doubles();
  EXPECT_FALSE(net.locate_nonfinite(x, context));
  EXPECT_EQ(net.statistics()[0].tensor.to_doubles(), statistics);

  const auto poke = [](const Tensor& tensor, std::size_t at, double value) {
    std::vector<double> values = tensor.to_doubles();
    std::swap(values[at], value);
    tensor.copy_from_host(values.data());
    return value;
  };
  const Tensor input = x.clone();
  poke(input, 4 * 2 + 2 + 1, inf);
  EXPECT_EQ(net.locate_nonfinite(input, context)->message(), "input is inf at [0, 1, 1, 1]");

  const Tensor weight = net.state()[0].tensor;
  double old = poke(weight, 2, nan);
  EXPECT_EQ(net.locate_nonfinite(x, context)->message(), "parameter conv1.weight is nan at [0, 0, 1, 0]");
  poke(weight, 2, old);

  // Finite weights whose products are not.
  std::vector<double> huge(static_cast<std::size_t>(weight.size()), 1e308), kept = weight.to_doubles();
  weight.copy_from_host(huge.data());
  EXPECT_EQ(net.locate_nonfinite(engine::scale(x, 1e10), context)->what, "output of conv1");
  weight.copy_from_host(kept.data());

  engine::backward(engine::sum(net.forward(x, context)));
  const Tensor gradient = net.parameters().at("dense1.bias").grad();
  poke(gradient, 1, -inf);
  EXPECT_EQ(net.locate_nonfinite(x, context)->message(), "gradient of dense1.bias is -inf at [1]");
}

TEST(Sequential, EveryLayerLearns) {
  for (const engine::Device& device : {reference, cpu}) {
    Sequential net = small_network();
    net.build(device, DType::float32, 3);
    engine::Adam adam(net.parameters());
    // Noise around a brightness that tells the class.
    const Tensor brightness = Tensor::from<float>({-1, 0, 1, -1, 0, 1}, {6, 1, 1, 1}, device);
    const Tensor x = engine::add(random_tensor({6, 30, 30, 2}, DType::float32, device, 1), brightness);
    const Tensor labels = Tensor::from<std::int32_t>({0, 1, 2, 0, 1, 2}, {6}, device);
    std::vector<Tensor> before;
    for (const NamedTensor& p : net.parameters().all()) before.push_back(p.tensor.clone());
    const double first = engine::cross_entropy(net.forward(x, {}), labels).item();
    for (std::uint32_t step = 0; step < 60; ++step) {
      net.parameters().clear_gradients();
      engine::backward(
          engine::cross_entropy(net.forward(x, {.training = true, .seed = 1, .step = step}), labels));
      adam.step(3e-3);
    }
    for (std::size_t i = 0; i < before.size(); ++i) {
      const NamedTensor& p = net.parameters().all()[i];
      EXPECT_GT(distance(p.tensor, before[i]), 1e-4) << p.name;
    }
    EXPECT_LT(engine::cross_entropy(net.forward(x, {}), labels).item(), 0.7 * first);
  }
}

// Holding back any one parameter changes where training leads: each one takes part.
TEST(Sequential, FreezingAnyParameterChangesTheLoss) {
  const auto loss_without = [](std::ptrdiff_t frozen) {
    Sequential net = small_network();
    net.build(reference, DType::float64, 3);
    engine::Sgd sgd(net.parameters());
    const Tensor x = random_tensor({4, 30, 30, 2}, DType::float64, reference, 1);
    const Tensor labels = Tensor::from<std::int32_t>({0, 1, 2, 0}, {4}, reference);
    const auto loss = [&] { return engine::cross_entropy(net.forward(x, {}), labels); };
    for (int step = 0; step < 2; ++step) {
      net.parameters().clear_gradients();
      engine::backward(loss());
      const auto& all = net.parameters().all();
      Tensor kept;
      if (frozen >= 0) kept = all[static_cast<std::size_t>(frozen)].tensor.clone();
      sgd.step(0.1);
      if (frozen >= 0) all[static_cast<std::size_t>(frozen)].tensor.copy_from(kept);
    }
    return loss().item();
  };
  const double all_free = loss_without(-1);
  for (std::ptrdiff_t i = 0; i < 8; ++i) EXPECT_GT(std::abs(loss_without(i) - all_free), 1e-9) << i;
}

}  // namespace
}  // namespace roentgen::model

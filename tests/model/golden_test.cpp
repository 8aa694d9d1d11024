// The oracle of others' making: values that PyTorch (float64) and Keras computed, stored by
// bench/peers/golden.py and golden_augment.py.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "engine/optimizer.h"
#include "engine/tape.h"
#include "kernels/augment.h"
#include "model/checkpoint.h"
#include "model/safetensors.h"
#include "model/xray_cnn.h"

namespace {

using namespace roentgen;
using engine::DType;
using engine::Tensor;

const std::string folder = ROENTGEN_SOURCE_DIR "/tests/model/golden/";

model::Sequential golden_network(const engine::Device& device, DType dtype) {
  model::Sequential net = model::xray_cnn(
      {.image_size = 38, .filters = {4, 6, 8}, .dropout = {0, 0, 0}, .dense = 10, .dense_dropout = 0});
  net.build(device, dtype);
  return net;
}

// max |a - b| / (1 + |b|)
double distance(const Tensor& a, const Tensor& b) {
  EXPECT_EQ(a.shape(), b.shape());
  const std::vector<double> x = a.to_doubles(), y = b.to_doubles();
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    worst = std::max(worst, std::abs(x[i] - y[i]) / (1 + std::abs(y[i])));
  return worst;
}

struct Oracle {
  engine::Device device;
  DType dtype;
  double tolerance;  // float64 repeats PyTorch to rounding; float32 has 24 bits and sums of 288 terms
};

class Golden : public testing::TestWithParam<Oracle> {
 protected:
  model::TensorFile file = model::read_safetensors(folder + "network.safetensors");
  const Tensor& golden(const std::string& name) {
    const Tensor* t = file.find(name);
    if (t == nullptr) throw std::runtime_error("no golden value " + name);
    return *t;
  }

  Tensor loss(const model::Sequential& net) {
    const Tensor x = engine::augment(golden("images").to(net.device()), {}, net.dtype());
    return engine::cross_entropy(net.forward(x, {.training = true}), golden("labels").to(net.device()));
  }
  void load(model::Sequential& net, const std::string& prefix) {
    for (const auto& [name, tensor] : net.state()) {
      tensor.copy_from(net.dtype() == DType::float64
                           ? golden(prefix + name)
                           : engine::cast(golden(prefix + name).to(kernels::Reference{}), DType::float32));
    }
  }
  void take_steps(const std::string& prefix, bool epsilon_after_correction) {
    const auto [device, dtype, tolerance] = GetParam();
    model::Sequential net = golden_network(device, dtype);
    load(net, "init.");
    engine::Adam adam(net.parameters(), {.epsilon_after_correction = epsilon_after_correction});
    const std::vector<double> losses = golden(prefix + "losses").to_doubles();
    ASSERT_EQ(losses.size(), 10u);
    for (const double expected : losses) {
      net.parameters().clear_gradients();
      const Tensor l = loss(net);
      EXPECT_NEAR(l.item(), expected, tolerance);
      engine::backward(l);
      adam.step(1e-3);
    }
    // Adam divides by sqrt(v): a gradient near zero has few right digits and moves its weight by up to lr a
    // step.
    const double slack = dtype == DType::float64 ? tolerance : 1e-3;
    for (const auto& [name, tensor] : net.state())
      EXPECT_LT(distance(tensor, golden(prefix + name)), slack) << name;
  }
};

TEST_P(Golden, LogitsLossAndEveryGradient) {
  const auto [device, dtype, tolerance] = GetParam();
  for (const bool fused : {true, false}) {
    model::Sequential net = golden_network(device, dtype);
    net.fuse(fused);
    load(net, "init.");
    const Tensor x = engine::augment(golden("images").to(device), {}, dtype);
    EXPECT_LT(distance(net.forward(x, {}), golden("logits")), tolerance);
    const Tensor l = loss(net);
    EXPECT_NEAR(l.item(), golden("loss").item(), tolerance);
    engine::backward(l);
    for (const auto& [name, tensor] : net.parameters().all()) {
      EXPECT_LT(distance(tensor.grad(), golden("grad." + name)), tolerance)
          << name << (fused ? " fused" : " plain");
    }
  }
}

TEST_P(Golden, TenStepsOfKerasAdam) {
  take_steps("keras.", false);
}
TEST_P(Golden, TenStepsOfTorchAdam) {
  take_steps("torch.", true);
}

INSTANTIATE_TEST_SUITE_P(Devices, Golden,
                         testing::Values(Oracle{kernels::Reference{}, DType::float64, 1e-12},
                                         Oracle{kernels::Reference{}, DType::float32, 2e-5},
                                         Oracle{kernels::Cpu{}, DType::float32, 2e-5}),
                         [](const auto& info) {
                           return engine::to_string(info.param.device) + "_" +
                                  engine::to_string(info.param.dtype);
                         });

TEST(GoldenLayout, PyTorchWeightsAreConverted) {
  model::Sequential net = golden_network(kernels::Reference{}, DType::float64);
  model::load_weights(net, folder + "pytorch_layout.safetensors");
  const model::TensorFile file = model::read_safetensors(folder + "network.safetensors");
  for (const auto& [name, tensor] : net.state())
    EXPECT_EQ(distance(tensor, *file.find("init." + name)), 0) << name;
}

TEST(GoldenAugment, EqualsKerasWithinAGreyLevel) {
  const model::TensorFile file = model::read_safetensors(folder + "augment.safetensors");
  const Tensor &image = *file.find("image"), &keras = *file.find("keras");
  const std::vector<double> p = file.find("parameters")->to_doubles();
  const std::int64_t h = image.dim(0), w = image.dim(1), n = keras.dim(0);
  std::vector<std::uint8_t> images;
  std::vector<kernels::Affine> maps;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::vector<std::uint8_t> one = image.to_vector<std::uint8_t>();
    images.insert(images.end(), one.begin(), one.end());
    const double* q = p.data() + 7 * i;
    maps.push_back(kernels::keras_affine(q[0], q[1], q[2], q[3], q[4], q[5], q[6] != 0, h, w));
  }
  for (const engine::Device& device :
       {engine::Device(kernels::Reference{}), engine::Device(kernels::Cpu{})}) {
    const Tensor x = Tensor::from(images, {n, h, w, 3}, device);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(maps.data());
    const Tensor m =
        Tensor::from(std::vector<std::uint8_t>(bytes, bytes + maps.size() * sizeof(kernels::Affine)),
                     {static_cast<std::int64_t>(maps.size() * sizeof(kernels::Affine))}, device);
    const std::vector<double> ours = engine::augment(x, m, DType::float32, 1.0).to_doubles();
    const std::vector<double> theirs = keras.to_doubles();
    double worst = 0;
    for (std::size_t i = 0; i < ours.size(); ++i) worst = std::max(worst, std::abs(ours[i] - theirs[i]));
    // Coordinates are float32 here and float64 in scipy; the image has steps of 255 between neighbours.
    EXPECT_LT(worst, 0.1) << engine::to_string(device);
  }
}

}  // namespace

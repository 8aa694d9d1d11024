#include "engine/parameters.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "engine/optimizer.h"
#include "engine/tape.h"

namespace roentgen::engine {
namespace {

const Device reference = kernels::Reference{};

Parameters small(DType dtype = DType::float64) {
  return Parameters({{"conv1.weight", {2, 3, 3, 1}}, {"conv1.bias", {2}}, {"scale", {}}}, dtype, reference);
}

TEST(Parameters, LieInFlatBuffersOnBoundariesOf64Bytes) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    const Parameters p = small(dtype);
    EXPECT_EQ(p.count(), 18 + 2 + 1);
    EXPECT_EQ(p.values().shape(), p.gradients().shape());
    ASSERT_EQ(p.all().size(), 3u);
    for (const NamedTensor& parameter : p.all()) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(parameter.tensor.raw()) % 64, 0u) << parameter.name;
      EXPECT_TRUE(parameter.tensor.requires_grad());
    }
    p.at("conv1.bias").copy_from(Tensor::full({2}, 3, dtype, reference));
    const std::vector<double> flat = p.values().to_doubles();
    EXPECT_EQ(std::count(flat.begin(), flat.end(), 3.0), 2);
    EXPECT_EQ(std::count(flat.begin(), flat.end(), 0.0), static_cast<std::ptrdiff_t>(flat.size()) - 2);
  }
}

TEST(Parameters, AreFoundByName) {
  const Parameters p = small();
  EXPECT_EQ(p.at("conv1.weight").shape(), (Shape{2, 3, 3, 1}));
  EXPECT_EQ(p.all()[1].name, "conv1.bias");
  EXPECT_THROW(p.at("conv2.bias"), std::invalid_argument);
  EXPECT_THROW(Parameters({{"a", {1}}, {"a", {2}}}, DType::float32), std::invalid_argument);
  EXPECT_THROW(Parameters({{"a", {1}}}, DType::bfloat16), std::invalid_argument);
}

TEST(Parameters, CollectGradientsInTheFlatBuffer) {
  const Parameters p = small();
  const auto step = [&](double factor) { backward(scale(sum(p.at("conv1.bias")), factor)); };
  step(2);
  step(3);
  EXPECT_EQ(p.at("conv1.bias").grad().to_doubles(), (std::vector<double>{5, 5}));
  const auto total = [&] { return sum(p.gradients().detach()).item(); };
  EXPECT_EQ(total(), 10);
  p.clear_gradients();
  step(7);
  EXPECT_EQ(total(), 14);
}

// What a backward did not reach has gradient 0, not that of an earlier step.
TEST(Parameters, UnreachedGradientsAreZero) {
  const Parameters p = small();
  backward(add(sum(p.at("conv1.bias")), p.at("scale")));
  p.clear_gradients();
  backward(sum(p.at("conv1.bias")));
  EXPECT_EQ(sum(p.gradients().detach()).item(), 2);
  p.clear_gradients();
  EXPECT_EQ(sum(p.gradients().detach()).item(), 0);
}

TEST(Parameters, WindowsOfATensorLaidOutAlike) {
  const Parameters p = small();
  const Tensor flat = Tensor::zeros(p.values().shape(), DType::float64, reference);
  const std::vector<NamedTensor> windows = p.windows(flat, "adam.m.");
  ASSERT_EQ(windows.size(), 3u);
  EXPECT_EQ(windows[2].name, "adam.m.scale");
  EXPECT_EQ(windows[0].tensor.shape(), (Shape{2, 3, 3, 1}));
  EXPECT_EQ(windows[2].tensor.raw() - flat.raw(), p.at("scale").raw() - p.values().raw());
  EXPECT_THROW(p.windows(Tensor({3}, DType::float64, reference)), std::invalid_argument);
}

TEST(Parameters, PaddingStaysZero) {
  const Parameters p = small();
  for (const NamedTensor& parameter : p.all()) {
    parameter.tensor.copy_from(Tensor::full(parameter.tensor.shape(), 2, DType::float64, reference));
  }
  AdamW optimizer(p, 0.1);
  for (int i = 0; i < 3; ++i) {
    p.clear_gradients();
    backward(add(add(sum(p.at("conv1.weight")), sum(p.at("conv1.bias"))), p.at("scale")));
    optimizer.step(0.1);
  }
  const std::vector<double> flat = p.values().to_doubles();
  EXPECT_EQ(std::count(flat.begin(), flat.end(), 0.0), static_cast<std::ptrdiff_t>(flat.size()) - p.count());
}

TEST(Parameters, NoneAtAll) {
  const Parameters p({}, DType::float32);
  EXPECT_EQ(p.count(), 0);
  EXPECT_EQ(p.gradients().size(), 0);
}

}  // namespace
}  // namespace roentgen::engine

#include "model/initializer.h"

#include <algorithm>

#include "tests/model/support.h"

namespace roentgen::model {
namespace {

using engine::DType;

std::vector<double> drawn(Initializer initializer, const Shape& shape, std::uint64_t seed = 1,
                          std::uint32_t stream = 0, const engine::Device& device = kernels::Reference{},
                          DType dtype = DType::float64) {
  const Tensor tensor(shape, dtype, device);
  initialise(tensor, initializer, seed, stream);
  return tensor.to_doubles();
}

double variance(const std::vector<double>& values) {
  double sum = 0, squares = 0;
  for (const double v : values) {
    sum += v;
    squares += v * v;
  }
  const auto n = static_cast<double>(values.size());
  return squares / n - sum / n * (sum / n);
}

// Filters [k, r, s, c] count the 3x3 field in both fans, as Keras does.
TEST(Initializer, GlorotUniformHasKerasBounds) {
  const double limit = std::sqrt(6.0 / (9 * 32 + 9 * 64));
  const std::vector<double> w = drawn(Initializer::glorot_uniform, {64, 3, 3, 32});
  const auto [low, high] = std::minmax_element(w.begin(), w.end());
  EXPECT_GE(*low, -limit);
  EXPECT_LT(*high, limit);
  EXPECT_LT(*low, -0.999 * limit);  // 18432 draws leave a gap of 1/1000 with probability e^-9
  EXPECT_GT(*high, 0.999 * limit);
  EXPECT_NEAR(variance(w) / (limit * limit / 3), 1, 0.05);
  const std::vector<double> dense = drawn(Initializer::glorot_uniform, {64, 100});
  EXPECT_NEAR(variance(dense) / (6.0 / 164 / 3), 1, 0.05);
}

TEST(Initializer, HeHasVarianceTwoOverFanIn) {
  EXPECT_NEAR(variance(drawn(Initializer::he_uniform, {64, 3, 3, 32})) * 288 / 2, 1, 0.05);
  const std::vector<double> w = drawn(Initializer::he_normal, {64, 3, 3, 32});
  EXPECT_NEAR(variance(w) * 288 / 2, 1, 0.05);
  const double cut = 2 * std::sqrt(2.0 / 288) / 0.8796;
  EXPECT_LE(*std::max_element(w.begin(), w.end()), cut);
  EXPECT_GT(*std::max_element(w.begin(), w.end()), 0.95 * cut);
}

TEST(Initializer, ConstantsAndNames) {
  EXPECT_EQ(drawn(Initializer::zeros, {3}), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(drawn(Initializer::ones, {2}), (std::vector<double>{1, 1}));
  EXPECT_TRUE(drawn(Initializer::he_normal, {0, 4}).empty());
  for (const Initializer i : {Initializer::zeros, Initializer::ones, Initializer::glorot_uniform,
                              Initializer::he_uniform, Initializer::he_normal}) {
    EXPECT_EQ(parse_initializer(to_string(i)), i);
  }
  EXPECT_THROW(parse_initializer("lecun"), std::invalid_argument);
}

TEST(Initializer, SeedAndStreamTellDrawsApartAndDevicesDoNot) {
  const Shape shape{7, 13};
  for (const Initializer i : {Initializer::glorot_uniform, Initializer::he_normal}) {
    EXPECT_EQ(drawn(i, shape), drawn(i, shape));
    EXPECT_NE(drawn(i, shape, 1), drawn(i, shape, 2));
    EXPECT_NE(drawn(i, shape, 1, 0), drawn(i, shape, 1, 1));
    EXPECT_EQ(drawn(i, shape, 1, 0, kernels::Reference{}, DType::float32),
              drawn(i, shape, 1, 0, kernels::Cpu{}, DType::float32));
  }
}

}  // namespace
}  // namespace roentgen::model

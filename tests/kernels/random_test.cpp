#include "kernels/random.h"

#include <gtest/gtest.h>

#include "tests/kernels/compare.h"

namespace roentgen::kernels {
namespace {

using testing::expect_parity;
using testing::random_vector;

const RandomKey key{.seed = 0x123456789, .purpose = Purpose::test, .stream = 4, .step = 2};

template <class T>
class Random : public ::testing::Test {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(Random, Types);

TYPED_TEST(Random, Parity) {
  using T = TypeParam;
  for (const std::int64_t n : testing::sizes) {
    SCOPED_TRACE(n);
    const std::vector<T> x = random_vector<T>(n, 1);
    for (const float rate : {0.0f, 0.25f, 0.4f, 0.99f})
      expect_parity<T>(n, [&](auto d, T* y) { dropout(d, x.data(), y, n, rate, key); });
    expect_parity<T>(n, [&](auto d, T* y) { random_uniform(d, y, n, -0.3, 0.7, key); });
    expect_parity<T>(
        n, [&](auto d, T* y) { random_normal(d, y, n, 0.5, 2, key); }, 1, 1);
  }
}

TYPED_TEST(Random, DropoutInPlaceAndReplayed) {
  using T = TypeParam;
  const std::int64_t n = 40001;
  const std::vector<T> x = random_vector<T>(n, 1);
  std::vector<T> apart(x.size()), in_place = x;
  dropout(Cpu{}, x.data(), apart.data(), n, 0.25f, key);
  dropout(Cpu{}, in_place.data(), in_place.data(), n, 0.25f, key);
  EXPECT_EQ(in_place, apart);
  std::uint32_t counter = 0;
  RandomKey counted = key;
  counted.counter = &counter;
  dropout(Cpu{}, x.data(), in_place.data(), n, 0.25f, counted);
  EXPECT_EQ(in_place, apart);
  counter = 1;  // the next step of a captured run
  dropout(Cpu{}, x.data(), in_place.data(), n, 0.25f, counted);
  EXPECT_NE(in_place, apart);
}

TEST(Random, ADroppedNanIsGone) {
  const std::vector<float> x(64, std::numeric_limits<float>::quiet_NaN());
  std::vector<float> y(64);
  dropout(Cpu{}, x.data(), y.data(), 64, 0.5f, key);
  for (std::size_t i = 0; i < 64; ++i)
    EXPECT_EQ(std::isnan(y[i]), random_bits(key, key.step, i) >= drop_threshold(0.5f)) << i;
}

// Moments of many numbers, within five standard errors.
TEST(ReferenceRandom, Moments) {
  const std::int64_t n = 200000;
  const double root_n = std::sqrt(static_cast<double>(n));
  std::vector<double> y(static_cast<std::size_t>(n));
  const auto mean_of = [&](auto power) {
    double total = 0;
    for (const double v : y) total += power(v);
    return total / static_cast<double>(n);
  };
  random_uniform(Reference{}, y.data(), n, 2, 5, key);
  EXPECT_NEAR(mean_of([](double v) { return v; }), 3.5, 5 * std::sqrt(0.75) / root_n);
  EXPECT_GE(*std::min_element(y.begin(), y.end()), 2);
  EXPECT_LT(*std::max_element(y.begin(), y.end()), 5);
  random_normal(Reference{}, y.data(), n, 0, 1, key);
  EXPECT_NEAR(mean_of([](double v) { return v; }), 0, 5 / root_n);
  EXPECT_NEAR(mean_of([](double v) { return v * v; }), 1, 5 * std::sqrt(2.0) / root_n);
  EXPECT_NEAR(mean_of([](double v) { return v * v * v; }), 0, 5 * std::sqrt(15.0) / root_n);
  EXPECT_NEAR(mean_of([](double v) { return v * v * v * v; }), 3, 5 * std::sqrt(96.0) / root_n);
  // Partners of a pair are uncorrelated.
  double product = 0;
  for (std::size_t i = 0; i < y.size(); i += 2) product += y[i] * y[i + 1];
  EXPECT_NEAR(product / (static_cast<double>(n) / 2), 0, 5 * std::sqrt(2.0) / root_n);
}

}  // namespace
}  // namespace roentgen::kernels

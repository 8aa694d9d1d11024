#if ROENTGEN_WITH_CUDA

#include <gtest/gtest.h>

#include "kernels/elementwise.h"
#include "tests/kernels/cuda_support.h"

namespace roentgen::kernels {
namespace {

using namespace cuda_testing;

template <class T>
class CudaElementwise : public CudaTest {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(CudaElementwise, Types);

// Zeros among them, and far enough out to saturate.
template <class T>
std::vector<T> inputs(std::int64_t n) {
  std::vector<T> x = random_values<T>(n, 1, -6, 6);
  for (std::size_t i = 0; i < x.size(); i += 5) x[i] = T{};
  return x;
}

// Functions of values up to 6 that cancel near 0 are off by the rounding of numbers of size 1.
constexpr Tolerance unit{1, 1};

TYPED_TEST(CudaElementwise, Forward) {
  using T = TypeParam;
  for (const std::int64_t n : sizes)
    for (const std::int64_t shift : {0, 1}) {
      SCOPED_TRACE(testing::Message() << "n " << n << " shift " << shift);
      Array<T> x(inputs<T>(n), shift), y = Array<T>::output(n);
      expect_parity(
          exact, [&](auto d) { relu_forward(d, x(d), y(d), n); }, y);
      expect_parity(
          unit, [&](auto d) { leaky_relu_forward(d, x(d), y(d), n, 0.3); }, y);
      expect_parity(
          unit, [&](auto d) { sigmoid_forward(d, x(d), y(d), n); }, y);
      expect_parity(
          unit, [&](auto d) { tanh_forward(d, x(d), y(d), n); }, y);
      expect_parity(
          unit, [&](auto d) { gelu_forward(d, x(d), y(d), n); }, y);
      expect_parity(
          unit, [&](auto d) { scale(d, x(d), y(d), n, -1.7); }, y);
      expect_parity(
          exact, [&](auto d) { clamp(d, x(d), y(d), n, -1.5, 2.0); }, y);
      expect_parity(
          exact, [&](auto d) { fill(d, y(d), n, 0.1); }, y);
    }
}

TYPED_TEST(CudaElementwise, Backward) {
  using T = TypeParam;
  for (const std::int64_t n : sizes)
    for (const std::int64_t shift : {0, 1}) {
      SCOPED_TRACE(testing::Message() << "n " << n << " shift " << shift);
      Array<T> x(inputs<T>(n)), y(random_values<T>(n, 2), shift), dy(random_values<T>(n, 3));
      Array<T> dx = Array<T>::output(n, shift);
      expect_parity(
          exact, [&](auto d) { relu_backward(d, x(d), dy(d), dx(d), n); }, dx);
      expect_parity(
          unit, [&](auto d) { leaky_relu_backward(d, x(d), dy(d), dx(d), n, 0.3); }, dx);
      expect_parity(
          unit, [&](auto d) { sigmoid_backward(d, y(d), dy(d), dx(d), n); }, dx);
      expect_parity(
          unit, [&](auto d) { tanh_backward(d, y(d), dy(d), dx(d), n); }, dx);
      expect_parity(
          unit, [&](auto d) { gelu_backward(d, x(d), dy(d), dx(d), n); }, dx);
    }
}

TYPED_TEST(CudaElementwise, CastRoundsToNearestEven) {
  using T = TypeParam;
  for (const std::int64_t n : sizes) {
    Array<T> x(inputs<T>(n));
    Array<float> wide = Array<float>::output(n);
    Array<bfloat16> low = Array<bfloat16>::output(n);
    expect_parity(
        exact, [&](auto d) { cast(d, x(d), wide(d), n); }, wide);
    expect_parity(
        exact, [&](auto d) { cast(d, x(d), low(d), n); }, low);
  }
}

TYPED_TEST(CudaElementwise, InPlace) {
  using T = TypeParam;
  for (const std::int64_t n : sizes) {
    Array<T> x(whole_values<T>(n, 4, 8)), sum(whole_values<T>(n, 5, 8));
    expect_parity(
        exact, [&](auto d) { accumulate(d, x(d), sum(d), n); }, sum);
    expect_parity(
        exact, [&](auto d) { relu_forward(d, x(d), x(d), n); }, x);
  }
}

TYPED_TEST(CudaElementwise, MoreThanAGridOfThreads) {
  using T = TypeParam;
  const std::int64_t grid = 2048 * 256, n = grid * 16 / static_cast<std::int64_t>(sizeof(T)) + 1027;
  Array<T> x(inputs<T>(n)), y = Array<T>::output(n);
  expect_parity(
      exact, [&](auto d) { relu_forward(d, x(d), y(d), n); }, y);
  const std::int64_t m = grid + 1027;
  Array<T> unaligned(inputs<T>(m), 1), z = Array<T>::output(m);
  expect_parity(
      exact, [&](auto d) { relu_forward(d, unaligned(d), z(d), m); }, z);
}

TYPED_TEST(CudaElementwise, NotANumberPassesRelu) {
  using T = TypeParam;
  const T nan = static_cast<T>(std::numeric_limits<float>::quiet_NaN());
  Array<T> x({nan, T{}, nan}), y = Array<T>::output(3);
  relu_forward(device(), x(device()), y(device()), 3);
  const std::vector<T> got = y.fetched();
  EXPECT_TRUE(std::isnan(static_cast<float>(got[0])) && std::isnan(static_cast<float>(got[2])));
  EXPECT_EQ(static_cast<float>(got[1]), 0.0f);
}

TYPED_TEST(CudaElementwise, FirstNonfinite) {
  using T = TypeParam;
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::int64_t n : sizes) {
    for (const std::int64_t bad : {std::int64_t{-1}, std::int64_t{0}, n / 2, n - 1}) {
      if (bad >= n) continue;
      std::vector<T> values = inputs<T>(n);
      if (bad >= 0) {
        values[static_cast<std::size_t>(bad)] = static_cast<T>(-infinity);
        values.back() = static_cast<T>(std::nanf(""));
      }
      Array<T> x(values);
      EXPECT_EQ(first_nonfinite(device(), x(device()), n), first_nonfinite(Reference{}, x(Reference{}), n));
    }
  }
}

}  // namespace
}  // namespace roentgen::kernels

#endif

#include "kernels/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/kernels/compare.h"

namespace roentgen::kernels {
namespace {

using testing::expect_parity;
using testing::random_vector;

template <class T>
class Elementwise : public ::testing::Test {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(Elementwise, Types);

// Values with zeros among them, and far enough out to saturate.
template <class T>
std::vector<T> inputs(std::int64_t n) {
  std::vector<T> x = random_vector<T>(n, 1, -6, 6);
  for (std::size_t i = 0; i < x.size(); i += 5) x[i] = T{};
  return x;
}

// Results near 0 may be off by the rounding of numbers of size 1 (tanh, gelu and their gradients cancel).
constexpr double unit = 1;

TYPED_TEST(Elementwise, ForwardParity) {
  using T = TypeParam;
  for (const std::int64_t n : testing::sizes) {
    SCOPED_TRACE(n);
    const std::vector<T> x = inputs<T>(n);
    expect_parity<T>(n, [&](auto d, T* y) { relu_forward(d, x.data(), y, n); });
    expect_parity<T>(n, [&](auto d, T* y) { leaky_relu_forward(d, x.data(), y, n, 0.3); });
    expect_parity<T>(n, [&](auto d, T* y) { sigmoid_forward(d, x.data(), y, n); });
    expect_parity<T>(n, [&](auto d, T* y) { tanh_forward(d, x.data(), y, n); });
    expect_parity<T>(
        n, [&](auto d, T* y) { gelu_forward(d, x.data(), y, n); }, 1, unit);
    expect_parity<T>(n, [&](auto d, T* y) { scale(d, x.data(), y, n, -1.7); });
    expect_parity<T>(n, [&](auto d, T* y) { clamp(d, x.data(), y, n, -1.25, 2); });
    expect_parity<T>(n, [&](auto d, T* y) { fill(d, y, n, 0.1); });
    expect_parity<float>(n, [&](auto d, float* y) { cast(d, x.data(), y, n); });
    expect_parity<bfloat16>(n, [&](auto d, bfloat16* y) { cast(d, x.data(), y, n); });
  }
}

TYPED_TEST(Elementwise, BackwardParity) {
  using T = TypeParam;
  for (const std::int64_t n : testing::sizes) {
    SCOPED_TRACE(n);
    const std::vector<T> x = inputs<T>(n), dy = random_vector<T>(n, 2);
    std::vector<T> y = random_vector<T>(n, 3, -1, 1);
    expect_parity<T>(n, [&](auto d, T* dx) { relu_backward(d, x.data(), dy.data(), dx, n); });
    expect_parity<T>(n, [&](auto d, T* dx) { leaky_relu_backward(d, x.data(), dy.data(), dx, n, 0.3); });
    expect_parity<T>(n, [&](auto d, T* dx) { sigmoid_backward(d, y.data(), dy.data(), dx, n); });
    expect_parity<T>(
        n, [&](auto d, T* dx) { tanh_backward(d, y.data(), dy.data(), dx, n); }, 1, unit);
    expect_parity<T>(
        n, [&](auto d, T* dx) { gelu_backward(d, x.data(), dy.data(), dx, n); }, 1, unit);
    expect_parity<T>(
        n,
        [&](auto d, T* sum) {
          std::copy(y.begin(), y.end(), sum);
          accumulate(d, dy.data(), sum, n);
        },
        1, unit);
  }
}

TYPED_TEST(Elementwise, InPlaceEqualsApart) {
  using T = TypeParam;
  for (const std::int64_t n : testing::sizes) {
    const std::vector<T> x = inputs<T>(n), dy = random_vector<T>(n, 2);
    std::vector<T> apart(x.size()), into_x = x, into_dy = dy;
    relu_forward(Cpu{}, x.data(), apart.data(), n);
    relu_forward(Cpu{}, into_x.data(), into_x.data(), n);
    EXPECT_EQ(into_x, apart);
    relu_backward(Cpu{}, x.data(), dy.data(), apart.data(), n);
    into_x = x;
    relu_backward(Cpu{}, into_x.data(), dy.data(), into_x.data(), n);
    relu_backward(Cpu{}, x.data(), into_dy.data(), into_dy.data(), n);
    EXPECT_EQ(into_x, apart);
    EXPECT_EQ(into_dy, apart);
  }
}

TYPED_TEST(Elementwise, NanPasses) {
  using T = TypeParam;
  std::vector<T> x = random_vector<T>(33, 1);
  x[20] = testing::not_a_number<T>();
  expect_parity<T>(33, [&](auto d, T* y) { relu_forward(d, x.data(), y, 33); });
  expect_parity<T>(33, [&](auto d, T* y) { leaky_relu_forward(d, x.data(), y, 33, 0.1); });
  expect_parity<T>(33, [&](auto d, T* y) { clamp(d, x.data(), y, 33, -1, 1); });
}

TYPED_TEST(Elementwise, FirstNonfinite) {
  using T = TypeParam;
  const double infinity = std::numeric_limits<double>::infinity();
  for (const std::int64_t n : testing::sizes) {
    std::vector<T> x = random_vector<T>(n, 1);
    EXPECT_EQ(first_nonfinite(Reference{}, x.data(), n), -1);
    EXPECT_EQ(first_nonfinite(Cpu{}, x.data(), n), -1);
    for (std::int64_t at = n - 1; at >= 0; at -= n / 3 + 1) {
      x[static_cast<std::size_t>(at)] = static_cast<T>(at % 2 ? infinity : -infinity);
      EXPECT_EQ(first_nonfinite(Reference{}, x.data(), n), at);
      EXPECT_EQ(first_nonfinite(Cpu{}, x.data(), n), at);
    }
    if (n > 2) {
      x[1] = testing::not_a_number<T>();
      EXPECT_EQ(first_nonfinite(Cpu{}, x.data(), n),
                x[0] == x[0] && std::isfinite(static_cast<float>(x[0])) ? 1 : 0);
    }
  }
}

// Values worked out by hand or from tables.
TEST(ReferenceElementwise, KnownValues) {
  const double x[3] = {-1, 0.5, 2};
  const double dy[3] = {10, 10, 10};
  double y[3], dx[3];
  relu_forward(Reference{}, x, y, 3);
  EXPECT_EQ(y[0], 0);
  EXPECT_EQ(y[1], 0.5);
  leaky_relu_forward(Reference{}, x, y, 3, 0.25);
  leaky_relu_backward(Reference{}, x, dy, dx, 3, 0.25);
  EXPECT_EQ(y[0], -0.25);
  EXPECT_EQ(dx[0], 2.5);
  EXPECT_EQ(dx[2], 10);
  clamp(Reference{}, x, y, 3, -0.5, 1);
  EXPECT_EQ(std::vector<double>(y, y + 3), (std::vector<double>{-0.5, 0.5, 1}));
  sigmoid_forward(Reference{}, x, y, 3);
  sigmoid_backward(Reference{}, y, dy, dx, 3);
  EXPECT_NEAR(y[0], 0.26894142136999512, 1e-15);
  EXPECT_NEAR(dx[0], 1.9661193324148185, 1e-14);
  tanh_forward(Reference{}, x, y, 3);
  tanh_backward(Reference{}, y, dy, dx, 3);
  EXPECT_NEAR(y[1], 0.46211715726000976, 1e-15);
  EXPECT_NEAR(dx[1], 7.8644773296592741, 1e-14);
  gelu_forward(Reference{}, x, y, 3);
  gelu_backward(Reference{}, x, dy, dx, 3);
  EXPECT_NEAR(y[0], -0.15865525393145707, 1e-15);
  EXPECT_NEAR(y[2], 1.9544997361036416, 1e-15);
  // Phi(2) + 2 phi(2)
  EXPECT_NEAR(dx[2], 10 * (0.97724986805182079 + 2 * 0.053990966513188063), 1e-13);
}

template <class F, class B>
void expect_slope(F forward, B backward) {
  const double step = 1e-6;
  for (const double x : {-2.5, -0.7, 0.3, 1.9}) {
    const double ends[2] = {x - step, x + step}, one = 1;
    double y[2], at, dx;
    forward(ends, y, 2);
    forward(&x, &at, 1);
    backward(&x, &at, &one, &dx);
    EXPECT_NEAR(dx, (y[1] - y[0]) / (2 * step), 1e-8) << "at " << x;
  }
}

TEST(ReferenceElementwise, GradientsAreSlopes) {
  const Reference d;
  expect_slope([&](auto x, auto y, auto n) { sigmoid_forward(d, x, y, n); },
               [&](auto, auto y, auto dy, auto dx) { sigmoid_backward(d, y, dy, dx, 1); });
  expect_slope([&](auto x, auto y, auto n) { tanh_forward(d, x, y, n); },
               [&](auto, auto y, auto dy, auto dx) { tanh_backward(d, y, dy, dx, 1); });
  expect_slope([&](auto x, auto y, auto n) { gelu_forward(d, x, y, n); },
               [&](auto x, auto, auto dy, auto dx) { gelu_backward(d, x, dy, dx, 1); });
  expect_slope([&](auto x, auto y, auto n) { relu_forward(d, x, y, n); },
               [&](auto, auto y, auto dy, auto dx) { relu_backward(d, y, dy, dx, 1); });
  expect_slope([&](auto x, auto y, auto n) { leaky_relu_forward(d, x, y, n, 0.2); },
               [&](auto x, auto, auto dy, auto dx) { leaky_relu_backward(d, x, dy, dx, 1, 0.2); });
}

TEST(Bfloat16, RoundsToNearestEven) {
  EXPECT_EQ(bfloat16(1.0f).bits, 0x3F80);
  EXPECT_EQ(bfloat16(1.00390625f).bits, 0x3F80);  // halfway, to even
  EXPECT_EQ(bfloat16(1.01171875f).bits, 0x3F82);  // halfway, to even
  EXPECT_EQ(bfloat16(1.00390637f).bits, 0x3F81);  // just above halfway
  EXPECT_EQ(bfloat16(3.4e38f).bits, 0x7F80);      // beyond the largest: infinity
  EXPECT_TRUE(std::isnan(static_cast<float>(bfloat16(std::numeric_limits<float>::quiet_NaN()))));
}

}  // namespace
}  // namespace roentgen::kernels

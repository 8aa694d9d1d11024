#include "kernels/norm.h"

#include <gtest/gtest.h>

#include "tests/kernels/compare.h"

namespace roentgen::kernels {
namespace {

using testing::expect_parity;
using testing::random_vector;

const std::vector<BatchNormShape> shapes = {{.rows = 1, .c = 1},     {.rows = 0, .c = 5},
                                            {.rows = 4, .c = 0},     {.rows = 13, .c = 7},
                                            {.rows = 31, .c = 16},   {.rows = 1023, .c = 17},
                                            {.rows = 5000, .c = 31}, {.rows = 20000, .c = 3, .epsilon = 1e-5},
                                            {.rows = 3, .c = 20000}};

template <class T>
class BatchNorm : public ::testing::Test {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(BatchNorm, Types);

TYPED_TEST(BatchNorm, Parity) {
  using T = TypeParam;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    SCOPED_TRACE(i);
    const BatchNormShape& s = shapes[i];
    const std::int64_t n = s.rows * s.c;
    // Means away from 0, as after a ReLU.
    const std::vector<T> x = random_vector<T>(n, 1, -1, 3), dy = random_vector<T>(n, 2);
    const std::vector<float> gamma = random_vector<float>(s.c, 3), beta = random_vector<float>(s.c, 4);
    const std::size_t c = static_cast<std::size_t>(s.c);
    std::vector<float> mean(c), rstd(c), spare(c), other(c);
    const std::vector<float> variance = random_vector<float>(s.c, 5, 0.1, 2);
    std::vector<T> y(static_cast<std::size_t>(n));
    expect_parity<float>(
        s.c,
        [&](auto d, float* out) {
          batch_norm_forward(d, s, x.data(), gamma.data(), beta.data(), y.data(), out, spare.data());
        },
        1, 1);
    expect_parity<float>(s.c, [&](auto d, float* out) {
      batch_norm_forward(d, s, x.data(), gamma.data(), beta.data(), y.data(), spare.data(), out);
    });
    batch_norm_forward(Reference{}, s, x.data(), gamma.data(), beta.data(), y.data(), mean.data(),
                       rstd.data());

    // The mean is rounded to float and y scales that; the gradient is a difference of terms gamma rstd dy.
    double largest = 0;
    for (const float r : rstd) largest = std::max(largest, 4 * static_cast<double>(r));
    expect_parity<T>(
        n,
        [&](auto d, T* out) {
          batch_norm_forward(d, s, x.data(), gamma.data(), beta.data(), out, spare.data(), other.data());
        },
        1, largest);
    const double terms = static_cast<double>(std::max<std::int64_t>(s.rows, 1));
    std::vector<T> dx(y.size());
    expect_parity<T>(
        n,
        [&](auto d, T* out) {
          batch_norm_backward(d, s, x.data(), dy.data(), gamma.data(), mean.data(), rstd.data(), out,
                              spare.data(), other.data());
        },
        s.rows == 1 ? 4 : 1, largest);
    expect_parity<float>(
        s.c,
        [&](auto d, float* out) {
          batch_norm_backward(d, s, x.data(), dy.data(), gamma.data(), mean.data(), rstd.data(), dx.data(),
                              out, other.data());
        },
        terms, 1);
    expect_parity<float>(
        s.c,
        [&](auto d, float* out) {
          batch_norm_backward(d, s, x.data(), dy.data(), gamma.data(), mean.data(), rstd.data(), dx.data(),
                              other.data(), out);
        },
        terms, 1);

    expect_parity<T>(
        n,
        [&](auto d, T* out) {
          batch_norm_inference_forward(d, s, x.data(), gamma.data(), beta.data(), mean.data(),
                                       variance.data(), out);
        },
        1, 10);
    expect_parity<T>(n, [&](auto d, T* out) {
      batch_norm_inference_backward(d, s, x.data(), dy.data(), gamma.data(), mean.data(), variance.data(),
                                    out, spare.data(), other.data());
    });
    expect_parity<float>(
        s.c,
        [&](auto d, float* out) {
          batch_norm_inference_backward(d, s, x.data(), dy.data(), gamma.data(), mean.data(), variance.data(),
                                        dx.data(), out, other.data());
        },
        terms, 1);
    expect_parity<float>(
        s.c,
        [&](auto d, float* out) {
          batch_norm_inference_backward(d, s, x.data(), dy.data(), gamma.data(), mean.data(), variance.data(),
                                        dx.data(), other.data(), out);
        },
        terms, 1);
  }
}

TEST(BatchNorm, UpdateParity) {
  const BatchNormShape s{.rows = 10, .c = 33};
  const std::vector<float> mean = random_vector<float>(33, 1), rstd = random_vector<float>(33, 2, 0.5, 3);
  const std::vector<float> before = random_vector<float>(33, 3, 0.5, 1);
  std::vector<float> other = before;
  expect_parity<float>(
      33,
      [&](auto d, float* out) {
        std::copy(before.begin(), before.end(), out);
        batch_norm_update(d, s, 0.9, mean.data(), rstd.data(), out, other.data());
      },
      1, 1);
  expect_parity<float>(
      33,
      [&](auto d, float* out) {
        std::copy(before.begin(), before.end(), out);
        batch_norm_update(d, s, 0.9, mean.data(), rstd.data(), other.data(), out);
      },
      1, 1);
}

// Large means must not cost the variance its digits.
TEST(BatchNorm, VarianceSurvivesAFarMean) {
  const BatchNormShape s{.rows = 4, .c = 1, .epsilon = 1e-12};
  const std::vector<float> x = {10000, 10001, 10002, 10003}, one = {1}, nil = {0};
  std::vector<float> y(4), mean(1), rstd(1);
  batch_norm_forward(Cpu{}, s, x.data(), one.data(), nil.data(), y.data(), mean.data(), rstd.data());
  EXPECT_EQ(mean[0], 10001.5f);
  EXPECT_NEAR(rstd[0], 1 / std::sqrt(1.25), 1e-6);
}

TEST(ReferenceBatchNorm, KnownValues) {
  const BatchNormShape s{.rows = 2, .c = 2, .epsilon = 0};
  const double x[4] = {1, 10, 3, 30}, gamma[2] = {2, 1}, beta[2] = {5, 0};
  double y[4], mean[2], rstd[2];
  batch_norm_forward(Reference{}, s, x, gamma, beta, y, mean, rstd);
  EXPECT_EQ(mean[0], 2);
  EXPECT_EQ(rstd[1], 0.1);
  EXPECT_EQ(y[0], 3);
  EXPECT_EQ(y[2], 7);
  EXPECT_EQ(y[3], 1);
  double running_mean[2] = {0, 0}, running_variance[2] = {1, 1};
  batch_norm_update(Reference{}, s, 0.75, mean, rstd, running_mean, running_variance);
  EXPECT_EQ(running_mean[1], 5);
  EXPECT_NEAR(running_variance[1], 0.75 + 25, 1e-12);
  const double variance[2] = {4, 100};
  batch_norm_inference_forward(Reference{}, s, x, gamma, beta, mean, variance, y);
  EXPECT_EQ(y[2], 6);
}

// Both backward passes against central differences of a weighted sum of y.
TEST(ReferenceBatchNorm, GradientsAreSlopes) {
  const BatchNormShape s{.rows = 5, .c = 3};
  std::vector<double> x = random_vector<double>(15, 1), gamma = random_vector<double>(3, 2);
  std::vector<double> beta = random_vector<double>(3, 3);
  const std::vector<double> dy = random_vector<double>(15, 4), fixed_mean = random_vector<double>(3, 5);
  const std::vector<double> fixed_variance = random_vector<double>(3, 6, 0.5, 2);
  for (const bool training : {true, false}) {
    std::vector<double> y(15), mean(3), rstd(3), dx(15), dgamma(3), dbeta(3);
    const auto loss = [&] {
      if (training)
        batch_norm_forward(Reference{}, s, x.data(), gamma.data(), beta.data(), y.data(), mean.data(),
                           rstd.data());
      else
        batch_norm_inference_forward(Reference{}, s, x.data(), gamma.data(), beta.data(), fixed_mean.data(),
                                     fixed_variance.data(), y.data());
      double total = 0;
      for (std::size_t i = 0; i < y.size(); ++i) total += y[i] * dy[i];
      return total;
    };
    loss();
    if (training)
      batch_norm_backward(Reference{}, s, x.data(), dy.data(), gamma.data(), mean.data(), rstd.data(),
                          dx.data(), dgamma.data(), dbeta.data());
    else
      batch_norm_inference_backward(Reference{}, s, x.data(), dy.data(), gamma.data(), fixed_mean.data(),
                                    fixed_variance.data(), dx.data(), dgamma.data(), dbeta.data());
    const auto expect_slopes = [&](std::vector<double>& of, const std::vector<double>& gradient) {
      for (std::size_t i = 0; i < of.size(); ++i) {
        const double at = of[i], step = 1e-6;
        of[i] = at + step;
        const double above = loss();
        of[i] = at - step;
        const double below = loss();
        of[i] = at;
        EXPECT_NEAR(gradient[i], (above - below) / (2 * step), 1e-7)
            << "training " << training << ", at " << i;
      }
    };
    expect_slopes(x, dx);
    expect_slopes(gamma, dgamma);
    expect_slopes(beta, dbeta);
  }
}

}  // namespace
}  // namespace roentgen::kernels

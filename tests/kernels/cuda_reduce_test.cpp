#if ROENTGEN_WITH_CUDA

#include <gtest/gtest.h>

#include "kernels/norm.h"
#include "kernels/reduce.h"
#include "kernels/softmax.h"
#include "tests/kernels/cuda_support.h"

namespace roentgen::kernels {
namespace {

using namespace cuda_testing;

template <class T>
class CudaReduce : public CudaTest {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(CudaReduce, Types);

struct Case {
  const char* what;
  Reduction shape;
  std::int64_t x, y, terms;
};

Reduction rows_of(std::int64_t rows, std::int64_t columns) {
  return {.kept_rank = 1,
          .kept = {rows},
          .kept_strides = {columns},
          .reduced_rank = 1,
          .reduced = {columns},
          .reduced_strides = {1}};
}
Reduction columns_of(std::int64_t rows, std::int64_t columns) {
  return {.kept_rank = 1,
          .kept = {columns},
          .kept_strides = {1},
          .reduced_rank = 1,
          .reduced = {rows},
          .reduced_strides = {columns}};
}

std::vector<Case> cases() {
  std::vector<Case> all = {
      {"all", {.reduced_rank = 2, .reduced = {31, 37}, .reduced_strides = {37, 1}}, 1147, 1, 1147},
      {"none", {.kept_rank = 2, .kept = {31, 37}, .kept_strides = {37, 1}}, 1147, 1147, 1},
      {"no results", rows_of(0, 5), 0, 0, 5},
      {"no terms", rows_of(5, 0), 0, 5, 0},
      {"outer and inner",
       {.kept_rank = 1,
        .kept = {13},
        .kept_strides = {7},
        .reduced_rank = 2,
        .reduced = {5, 7},
        .reduced_strides = {91, 1}},
       455,
       13,
       35},
      {"middle",
       {.kept_rank = 2,
        .kept = {3, 7},
        .kept_strides = {77, 1},
        .reduced_rank = 1,
        .reduced = {11},
        .reduced_strides = {7}},
       231,
       21,
       11},
  };
  const std::pair<std::int64_t, std::int64_t> extents[] = {{1, 1},    {1, 4099}, {3, 5},
                                                           {4, 1023}, {300, 7},  {400, 33}};
  for (const auto& [rows, columns] : extents) {
    all.push_back({"rows", rows_of(rows, columns), rows * columns, rows, columns});
    all.push_back({"columns", columns_of(rows, columns), rows * columns, columns, rows});
  }
  return all;
}

TYPED_TEST(CudaReduce, Sum) {
  using T = TypeParam;
  for (const Case& c : cases()) {
    SCOPED_TRACE(testing::Message() << c.what << " " << c.y << " of " << c.terms);
    // bfloat16 results are rounded once, from sums that float holds exactly.
    Array<T> x(whole_values<T>(c.x, 1, 8)), y = Array<T>::output(c.y);
    expect_parity(
        exact, [&](auto d) { kernels::sum(d, x(d), y(d), c.shape, 1.0); }, y);
    Array<T> z(random_values<T>(c.x, 2));
    const Tolerance rounding{static_cast<double>(c.terms + 1), static_cast<double>(c.terms)};
    expect_parity(
        rounding, [&](auto d) { kernels::sum(d, z(d), y(d), c.shape, 0.37); }, y);
  }
}

TYPED_TEST(CudaReduce, MaxTakesTheFirstOfEqualsAndNotANumber) {
  using T = TypeParam;
  for (const Case& c : cases()) {
    SCOPED_TRACE(testing::Message() << c.what << " " << c.y << " of " << c.terms);
    std::vector<T> values = whole_values<T>(c.x, 3, 3);
    for (const bool with_nan : {false, true}) {
      if (with_nan)
        for (std::size_t i = 2; i < values.size(); i += 97) values[i] = static_cast<T>(std::nanf(""));
      Array<T> x(values), y = Array<T>::output(c.y);
      Array<std::int64_t> argmax = Array<std::int64_t>::output(c.y);
      expect_parity(
          {}, [&](auto d) { max_forward(d, x(d), y(d), argmax(d), c.shape); }, y, argmax);
    }
  }
}

TYPED_TEST(CudaReduce, MaxBackwardScatters) {
  using T = TypeParam;
  for (const std::int64_t n : sizes) {
    std::vector<std::int64_t> where(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < where.size(); ++i)
      where[i] = i % 7 == 3 ? -1 : static_cast<std::int64_t>(3 * i + i % 3);
    Array<std::int64_t> argmax(where);
    Array<T> dy(whole_values<T>(n, 4, 9)), dx = Array<T>::output(3 * n + 5);
    expect_parity(
        exact, [&](auto d) { max_backward(d, dy(d), argmax(d), dx(d), 3 * n + 5, n); }, dx);
  }
}

TYPED_TEST(CudaReduce, SumOfSquares) {
  using T = TypeParam;
  for (const std::int64_t n : sizes) {
    Array<T> x(random_values<T>(n, 5));
    const double want = sum_of_squares(Reference{}, x(Reference{}), n);
    // In double, but in another order: each of n additions rounds.
    const double rounding = 0.5 * std::numeric_limits<double>::epsilon() * static_cast<double>(n);
    EXPECT_NEAR(sum_of_squares(device(), x(device()), n), want, rounding * want);
  }
}

const std::pair<std::int64_t, std::int64_t> tables[] = {{1, 1},  {5, 3},   {13, 31}, {9, 32},
                                                        {7, 33}, {300, 5}, {3, 1023}};

TYPED_TEST(CudaReduce, Softmax) {
  using T = TypeParam;
  for (const auto& [rows_, c_] : tables) {
    const std::int64_t rows = rows_, c = c_, n = rows * c;
    SCOPED_TRACE(testing::Message() << rows << " x " << c);
    // Far from 0, where the maximum must be taken off.
    Array<T> x(random_values<T>(n, 6, 60, 100)), dy(random_values<T>(n, 7)), y = Array<T>::output(n);
    const Tolerance unit{1, 1}, logarithm{1, 16};  // log p of size 40
    expect_parity(
        unit, [&](auto d) { softmax_forward(d, x(d), y(d), rows, c); }, y);
    expect_parity(
        logarithm, [&](auto d) { log_softmax_forward(d, x(d), y(d), rows, c); }, y);
    Array<T> p(y.host()), dx = Array<T>::output(n);
    expect_parity(
        {static_cast<double>(c), 4.0 * static_cast<double>(c)},
        [&](auto d) { log_softmax_backward(d, p(d), dy(d), dx(d), rows, c); }, dx);
    Array<T> q(random_values<T>(n, 8, 0, 1));
    expect_parity(
        {static_cast<double>(c), static_cast<double>(c)},
        [&](auto d) { softmax_backward(d, q(d), dy(d), dx(d), rows, c); }, dx);
  }
}

TYPED_TEST(CudaReduce, CrossEntropy) {
  using T = TypeParam;
  for (const auto& [rows_, c_] : tables)
    for (const double smoothing : {0.0, 0.1})
      for (const bool weighted : {false, true}) {
        const std::int64_t rows = rows_, c = c_, n = rows * c;
        SCOPED_TRACE(testing::Message()
                     << rows << " x " << c << ", smoothing " << smoothing << ", weighted " << weighted);
        std::vector<std::int32_t> classes(static_cast<std::size_t>(rows));
        for (std::size_t i = 0; i < classes.size(); ++i)
          classes[i] = static_cast<std::int32_t>((7 * i + 2) % c);
        Array<std::int32_t> labels(classes);
        Array<T> logits(random_values<T>(n, 9, -5, 5)), dlogits = Array<T>::output(n);
        Array<float> weights(random_values<float>(c, 10, 0.5, 2)), dloss({1.7f});
        Array<float> loss = Array<float>::output(1), log_p = Array<float>::output(n);
        const CrossEntropyShape shape{.rows = rows, .c = c, .label_smoothing = smoothing};
        const auto w = [&](auto d) { return weighted ? weights(d) : nullptr; };
        expect_parity(
            {static_cast<double>(c), 4},
            [&](auto d) { cross_entropy_forward(d, shape, logits(d), labels(d), w(d), loss(d), log_p(d)); },
            loss, log_p);
        Array<float> kept(log_p.host());
        expect_parity(
            {static_cast<double>(c), 1},
            [&](auto d) { cross_entropy_backward(d, shape, kept(d), labels(d), w(d), dloss(d), dlogits(d)); },
            dlogits);
      }
}

TYPED_TEST(CudaReduce, LabelOutOfRangeMakesTheLossNotANumber) {
  using T = TypeParam;
  for (const std::int32_t label : {-1, 3}) {
    Array<std::int32_t> labels({0, label});
    Array<T> logits(random_values<T>(6, 11));
    Array<float> loss({0}), log_p = Array<float>::output(6);
    cross_entropy_forward(device(), {.rows = 2, .c = 3}, logits(device()), labels(device()),
                          static_cast<const float*>(nullptr), loss(device()), log_p(device()));
    EXPECT_TRUE(std::isnan(loss.fetched()[0]));
  }
}

TYPED_TEST(CudaReduce, BatchNorm) {
  using T = TypeParam;
  for (const auto& [c_, rows_] : tables) {
    const std::int64_t rows = rows_, c = c_, n = rows * c;
    SCOPED_TRACE(testing::Message() << rows << " x " << c);
    const BatchNormShape shape{.rows = rows, .c = c, .epsilon = 1e-3};
    Array<T> x(random_values<T>(n, 12, 2, 4)), dy(random_values<T>(n, 13)), y = Array<T>::output(n),
                                                                            dx = Array<T>::output(n);
    Array<float> gamma(random_values<float>(c, 14, 0.5, 2)), beta(random_values<float>(c, 15));
    Array<float> mean = Array<float>::output(c), rstd = Array<float>::output(c);
    Array<float> dgamma = Array<float>::output(c), dbeta = Array<float>::output(c);
    // A single row normalises to 0 with rstd = 30: what cancels is of that size.
    const Tolerance sums{static_cast<double>(rows + 1), 100};
    expect_parity(
        sums, [&](auto d) { batch_norm_forward(d, shape, x(d), gamma(d), beta(d), y(d), mean(d), rstd(d)); },
        y, mean, rstd);
    Array<float> m(mean.host()), r(rstd.host());
    expect_parity(
        sums,
        [&](auto d) {
          batch_norm_backward(d, shape, x(d), dy(d), gamma(d), m(d), r(d), dx(d), dgamma(d), dbeta(d));
        },
        dx, dgamma, dbeta);
    Array<float> variance(random_values<float>(c, 16, 0.1, 2));
    expect_parity(
        sums,
        [&](auto d) {
          batch_norm_inference_forward(d, shape, x(d), gamma(d), beta(d), m(d), variance(d), y(d));
        },
        y);
    expect_parity(
        sums,
        [&](auto d) {
          batch_norm_inference_backward(d, shape, x(d), dy(d), gamma(d), m(d), variance(d), dx(d), dgamma(d),
                                        dbeta(d));
        },
        dx, dgamma, dbeta);
    Array<float> running_mean(random_values<float>(c, 17)),
        running_variance(random_values<float>(c, 18, 0, 1));
    expect_parity(
        {1, 1},
        [&](auto d) { batch_norm_update(d, shape, 0.9, m(d), r(d), running_mean(d), running_variance(d)); },
        running_mean, running_variance);
  }
}

}  // namespace
}  // namespace roentgen::kernels

#endif

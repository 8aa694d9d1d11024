#include "kernels/softmax.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/kernels/compare.h"

namespace roentgen::kernels {
namespace {

using testing::expect_parity;
using testing::random_vector;

struct Shape {
  std::int64_t rows, c;
};
const std::vector<Shape> shapes = {{1, 1},   {0, 3},    {16, 3},   {11, 3},  {7, 13},
                                   {31, 17}, {5, 1023}, {5000, 3}, {2, 9000}};

template <class T>
class Softmax : public ::testing::Test {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(Softmax, Types);

TYPED_TEST(Softmax, Parity) {
  using T = TypeParam;
  for (const auto [rows, c] : shapes) {
    SCOPED_TRACE(::testing::Message() << rows << " x " << c);
    const std::int64_t n = rows * c, height = rows, width = c;
    const std::vector<T> x = random_vector<T>(n, 1, -4, 4), dy = random_vector<T>(n, 2);
    std::vector<T> y(x.size());
    const double terms = static_cast<double>(c), share = 1 / terms;
    expect_parity<T>(
        n, [&](auto d, T* out) { softmax_forward(d, x.data(), out, height, width); }, terms);
    softmax_forward(Reference{}, x.data(), y.data(), rows, c);
    expect_parity<T>(
        n, [&](auto d, T* dx) { softmax_backward(d, y.data(), dy.data(), dx, height, width); }, terms, share);
    expect_parity<T>(
        n, [&](auto d, T* out) { log_softmax_forward(d, x.data(), out, height, width); }, terms, 1);
    log_softmax_forward(Reference{}, x.data(), y.data(), rows, c);
    expect_parity<T>(
        n, [&](auto d, T* dx) { log_softmax_backward(d, y.data(), dy.data(), dx, height, width); }, terms, 1);
  }
}

TYPED_TEST(Softmax, CrossEntropyParity) {
  using T = TypeParam;
  for (const auto [rows, c] : shapes)
    for (const bool weighted : {false, true})
      for (const double smoothing : {0.0, 0.1}) {
        if (rows == 0) continue;  // the loss is 0 / 0 then
        SCOPED_TRACE(::testing::Message()
                     << rows << " x " << c << (weighted ? " weighted " : " ") << smoothing);
        const CrossEntropyShape shape{.rows = rows, .c = c, .label_smoothing = smoothing};
        const std::int64_t n = rows * c;
        const std::vector<T> x = random_vector<T>(n, 1, -4, 4);
        const std::vector<float> weights = random_vector<float>(c, 2, 0.5, 2);
        const float* w = weighted ? weights.data() : nullptr;
        std::vector<std::int32_t> labels(static_cast<std::size_t>(rows));
        for (std::size_t i = 0; i < labels.size(); ++i)
          labels[i] = static_cast<std::int32_t>((i * 7 + 2) % static_cast<std::size_t>(c));
        float loss = 0;
        const float dloss = 1.5f;
        std::vector<float> log_p(x.size());
        expect_parity<float>(1, [&](auto d, float* out) {
          cross_entropy_forward(d, shape, x.data(), labels.data(), w, out, log_p.data());
        });
        expect_parity<float>(
            n,
            [&](auto d, float* out) {
              cross_entropy_forward(d, shape, x.data(), labels.data(), w, &loss, out);
            },
            1, 1);
        const double share = 1 / static_cast<double>(rows);  // p - 1 cancels where a class is certain
        expect_parity<T>(
            n,
            [&](auto d, T* dx) {
              cross_entropy_backward(d, shape, log_p.data(), labels.data(), w, &dloss, dx);
            },
            1, share);
      }
}

TYPED_TEST(Softmax, FarLogitsDoNotOverflow) {
  using T = TypeParam;
  const std::vector<T> x = {static_cast<T>(30000.0), static_cast<T>(29999.0), static_cast<T>(-30000.0)};
  expect_parity<T>(3, [&](auto d, T* y) { softmax_forward(d, x.data(), y, 1, 3); });
  expect_parity<T>(3, [&](auto d, T* y) { log_softmax_forward(d, x.data(), y, 1, 3); });
}

template <class Device>
void expect_labels_refused(Device device) {
  const std::vector<float> logits(6, 0.5f);
  std::vector<float> log_p(6), dlogits(6);
  float loss = 0;
  for (const std::int32_t bad : {-1, 3}) {
    const std::vector<std::int32_t> labels = {0, bad};
    const CrossEntropyShape shape{.rows = 2, .c = 3};
    try {
      cross_entropy_forward(device, shape, logits.data(), labels.data(), nullptr, &loss, log_p.data());
      FAIL() << "label " << bad << " was accepted";
    } catch (const std::invalid_argument& error) {
      const std::string want = "cross_entropy: label " + std::to_string(bad) + " of row 1 is outside [0, 3)";
      EXPECT_EQ(error.what(), want);
    }
    EXPECT_THROW(
        cross_entropy_backward(device, shape, log_p.data(), labels.data(), nullptr, &loss, dlogits.data()),
        std::invalid_argument);
  }
}

TEST(CrossEntropy, RefusesLabelsOutOfRange) {
  expect_labels_refused(Reference{});
  expect_labels_refused(Cpu{});
}

TEST(ReferenceSoftmax, KnownValues) {
  const double x[3] = {0, std::log(2.0), std::log(5.0)};
  double y[3];
  softmax_forward(Reference{}, x, y, 1, 3);
  EXPECT_NEAR(y[0], 0.125, 1e-15);
  EXPECT_NEAR(y[2], 0.625, 1e-15);
  log_softmax_forward(Reference{}, x, y, 1, 3);
  EXPECT_NEAR(y[1], std::log(0.25), 1e-15);
}

// Two rows worked out by hand: p = (1/8, 1/4, 5/8) twice, labels 1 and 2, weights (2, 1, 3), smoothing 0.3.
TEST(ReferenceCrossEntropy, KnownValues) {
  const double row[3] = {0, std::log(2.0), std::log(5.0)};
  const double x[6] = {row[0], row[1], row[2], row[0], row[1], row[2]}, weights[3] = {2, 1, 3};
  const std::int32_t labels[2] = {1, 2};
  const double l0 = std::log(0.125), l1 = std::log(0.25), l2 = std::log(0.625);
  double loss, log_p[6];
  cross_entropy_forward(Reference{}, {.rows = 2, .c = 3}, x, labels, static_cast<double*>(nullptr), &loss,
                        log_p);
  EXPECT_NEAR(loss, -(l1 + l2) / 2, 1e-15);
  EXPECT_NEAR(log_p[5], l2, 1e-15);
  const CrossEntropyShape smooth{.rows = 2, .c = 3, .label_smoothing = 0.3};
  cross_entropy_forward(Reference{}, smooth, x, labels, weights, &loss, log_p);
  EXPECT_NEAR(loss, -(0.7 * (l1 + 3 * l2) + 2 * 0.1 * (2 * l0 + l1 + 3 * l2)) / 4, 1e-15);
}

TEST(ReferenceSoftmax, GradientsAreSlopes) {
  std::vector<double> x = random_vector<double>(12, 1);
  const std::vector<double> dy = random_vector<double>(12, 2), weights = random_vector<double>(4, 3, 0.5, 2);
  const std::vector<std::int32_t> labels = {3, 0, 1};
  const CrossEntropyShape shape{.rows = 3, .c = 4, .label_smoothing = 0.2};
  std::vector<double> y(12), dx(12), log_p(12);
  const auto weighted_sum = [&] {
    double total = 0;
    for (std::size_t i = 0; i < y.size(); ++i) total += y[i] * dy[i];
    return total;
  };
  const auto expect_slopes = [&](auto loss) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double at = x[i], step = 1e-6;
      x[i] = at + step;
      const double above = loss();
      x[i] = at - step;
      const double below = loss();
      x[i] = at;
      EXPECT_NEAR(dx[i], (above - below) / (2 * step), 1e-8) << "at " << i;
    }
  };
  softmax_forward(Reference{}, x.data(), y.data(), 3, 4);
  softmax_backward(Reference{}, y.data(), dy.data(), dx.data(), 3, 4);
  expect_slopes([&] {
    softmax_forward(Reference{}, x.data(), y.data(), 3, 4);
    return weighted_sum();
  });
  log_softmax_forward(Reference{}, x.data(), y.data(), 3, 4);
  log_softmax_backward(Reference{}, y.data(), dy.data(), dx.data(), 3, 4);
  expect_slopes([&] {
    log_softmax_forward(Reference{}, x.data(), y.data(), 3, 4);
    return weighted_sum();
  });
  double loss;
  const double dloss = 1;
  cross_entropy_forward(Reference{}, shape, x.data(), labels.data(), weights.data(), &loss, log_p.data());
  cross_entropy_backward(Reference{}, shape, log_p.data(), labels.data(), weights.data(), &dloss, dx.data());
  expect_slopes([&] {
    cross_entropy_forward(Reference{}, shape, x.data(), labels.data(), weights.data(), &loss, log_p.data());
    return loss;
  });
}

}  // namespace
}  // namespace roentgen::kernels

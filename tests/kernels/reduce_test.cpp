#include "kernels/reduce.h"

#include <gtest/gtest.h>

#include "tests/kernels/compare.h"

namespace roentgen::kernels {
namespace {

using testing::expect_parity;
using testing::random_vector;

struct Case {
  std::vector<std::int64_t> dims;
  std::vector<bool> reduced;
};
// Rows, columns, both ends, middles, everything, nothing; empty, tiny, and many tasks' worth on either side.
const std::vector<Case> cases = {
    {{}, {}},
    {{1}, {true}},
    {{17}, {false}},
    {{0}, {true}},
    {{0, 5}, {true, false}},
    {{5, 0}, {false, true}},
    {{0, 5}, {false, true}},
    {{1023}, {true}},
    {{70001}, {true}},
    {{13, 31}, {false, true}},
    {{13, 31}, {true, false}},
    {{7, 13, 31}, {true, false, true}},
    {{7, 13, 31}, {false, true, false}},
    {{2, 3, 5, 4}, {false, true, false, true}},
    {{3, 40000}, {false, true}},
    {{40000, 3}, {true, false}},
    {{40000, 3}, {false, true}},
    {{3, 40000}, {true, false}},
    {{33, 700}, {true, false}},
    {{4, 900, 65}, {false, true, false}},
    {{300, 300}, {true, true}},
    {{2, 1, 3, 2, 1, 2, 3, 2}, {true, true, false, false, true, true, false, true}}};

Reduction reduction(const Case& c) {
  Reduction shape;
  std::vector<std::int64_t> strides(c.dims.size());
  std::int64_t stride = 1;
  for (std::size_t axis = c.dims.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= c.dims[axis];
  }
  for (std::size_t axis = 0; axis < c.dims.size(); ++axis) {
    if (c.reduced[axis]) {
      shape.reduced[shape.reduced_rank] = c.dims[axis];
      shape.reduced_strides[shape.reduced_rank++] = strides[axis];
    } else {
      shape.kept[shape.kept_rank] = c.dims[axis];
      shape.kept_strides[shape.kept_rank++] = strides[axis];
    }
  }
  return shape;
}

std::int64_t product(const std::int64_t* dims, int rank) {
  std::int64_t n = 1;
  for (int axis = 0; axis < rank; ++axis) n *= dims[axis];
  return n;
}

template <class T>
class Reduce : public ::testing::Test {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(Reduce, Types);

TYPED_TEST(Reduce, Parity) {
  using T = TypeParam;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const Reduction shape = reduction(cases[i]);
    const std::int64_t n_y = product(shape.kept, shape.kept_rank);
    const std::int64_t n_r = product(shape.reduced, shape.reduced_rank);
    const std::int64_t n_x = n_y * n_r;
    // bfloat16 values repeat, so maxima are tied and the first must be found.
    const std::vector<T> x = random_vector<T>(n_x, 1), dy = random_vector<T>(n_y, 2);
    const double terms = static_cast<double>(std::max<std::int64_t>(n_r, 1));
    expect_parity<T>(
        n_y, [&](auto d, T* y) { sum(d, x.data(), y, shape, 1.0); }, terms, 1);
    expect_parity<T>(
        n_y, [&](auto d, T* y) { sum(d, x.data(), y, shape, 1 / terms); }, terms, 1 / terms);
    std::vector<std::int64_t> argmax(static_cast<std::size_t>(n_y));
    std::vector<T> highest(static_cast<std::size_t>(n_y));
    expect_parity<T>(n_y, [&](auto d, T* y) { max_forward(d, x.data(), y, argmax.data(), shape); });
    expect_parity<std::int64_t>(
        n_y, [&](auto d, std::int64_t* where) { max_forward(d, x.data(), highest.data(), where, shape); });
    max_forward(Reference{}, x.data(), highest.data(), argmax.data(), shape);
    expect_parity<T>(n_x, [&](auto d, T* dx) { max_backward(d, dy.data(), argmax.data(), dx, n_x, n_y); });
  }
}

TYPED_TEST(Reduce, SumOfSquares) {
  using T = TypeParam;
  const int threads_before = thread_count();
  for (const std::int64_t n : testing::sizes) {
    const std::vector<T> x = random_vector<T>(n, 1);
    const double want = sum_of_squares(Reference{}, x.data(), n);
    for (const int threads : {1, 2, 4}) {
      set_thread_count(threads);
      const double got = sum_of_squares(Cpu{}, x.data(), n);
      EXPECT_NEAR(got, want, 1e-13 * want);  // both sum in double
      set_thread_count(1);
      EXPECT_EQ(sum_of_squares(Cpu{}, x.data(), n), got);
    }
  }
  set_thread_count(threads_before);
}

TYPED_TEST(Reduce, MaxPrefersTheFirstAndNan) {
  using T = TypeParam;
  const auto t = [](double v) { return static_cast<T>(v); };
  const std::vector<T> x = {
      t(1), t(3), t(3), t(2), t(0), testing::not_a_number<T>(), t(5), testing::not_a_number<T>()};
  const Reduction rows{.kept_rank = 1,
                       .kept = {2},
                       .kept_strides = {4},
                       .reduced_rank = 1,
                       .reduced = {4},
                       .reduced_strides = {1}};
  for (const bool cpu : {false, true}) {
    T y[2];
    std::int64_t argmax[2];
    if (cpu)
      max_forward(Cpu{}, x.data(), y, argmax, rows);
    else
      max_forward(Reference{}, x.data(), y, argmax, rows);
    EXPECT_EQ(static_cast<float>(y[0]), 3);
    EXPECT_EQ(argmax[0], 1);
    EXPECT_TRUE(std::isnan(static_cast<float>(y[1])));
    EXPECT_EQ(argmax[1], 5);
  }
}

TEST(ReferenceReduce, KnownValues) {
  const double x[6] = {1, 2, 3, 4, 5, 6};  // 2 x 3
  double y[3];
  sum(Reference{}, x, y,
      {.kept_rank = 1,
       .kept = {3},
       .kept_strides = {1},
       .reduced_rank = 1,
       .reduced = {2},
       .reduced_strides = {3}},
      0.5);
  EXPECT_EQ(y[0], 2.5);
  EXPECT_EQ(y[2], 4.5);
  EXPECT_EQ(sum_of_squares(Reference{}, x, 6), 91);
}

}  // namespace
}  // namespace roentgen::kernels

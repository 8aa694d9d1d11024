#include "kernels/pool.h"

#include <gtest/gtest.h>

#include "tests/kernels/compare.h"

namespace roentgen::kernels {
namespace {

using testing::expect_parity;
using testing::random_vector;

const std::vector<Pool2dShape> shapes = {
    {.n = 1, .h = 2, .w = 2, .c = 1},
    {.n = 0, .h = 4, .w = 4, .c = 3},
    {.n = 2, .h = 1, .w = 1, .c = 7, .kernel_h = 1, .kernel_w = 1, .stride_h = 1, .stride_w = 1},
    {.n = 3, .h = 13, .w = 31, .c = 7},
    {.n = 11, .h = 7, .w = 7, .c = 17},
    {.n = 2, .h = 31, .w = 13, .c = 130},
    {.n = 2, .h = 13, .w = 17, .c = 16, .kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1},
    {.n = 1, .h = 9, .w = 10, .c = 5, .kernel_h = 3, .kernel_w = 2, .stride_h = 1, .stride_w = 1},
    {.n = 2, .h = 11, .w = 12, .c = 4, .kernel_h = 2, .kernel_w = 3, .stride_h = 3, .stride_w = 4},
    {.n = 2,
     .h = 12,
     .w = 12,
     .c = 3,
     .kernel_h = 3,
     .kernel_w = 3,
     .stride_h = 1,
     .stride_w = 2,
     .pad_h = 2,
     .pad_w = 1,
     .dilation_h = 2,
     .dilation_w = 3},
    // Windows that hold nothing but padding.
    {.n = 1,
     .h = 3,
     .w = 3,
     .c = 2,
     .kernel_h = 1,
     .kernel_w = 2,
     .stride_h = 1,
     .stride_w = 1,
     .pad_h = 2,
     .pad_w = 2},
    {.n = 5, .h = 15, .w = 13, .c = 65, .kernel_h = 15, .kernel_w = 13, .stride_h = 15, .stride_w = 13}};

std::int64_t size_x(const Pool2dShape& s) {
  return s.n * s.h * s.w * s.c;
}
std::int64_t size_y(const Pool2dShape& s) {
  return s.n * s.out_h() * s.out_w() * s.c;
}

template <class T>
class Pool : public ::testing::Test {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(Pool, Types);

TYPED_TEST(Pool, MaxParity) {
  using T = TypeParam;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    SCOPED_TRACE(i);
    const Pool2dShape& s = shapes[i];
    const std::vector<T> dy = random_vector<T>(size_y(s), 2);
    std::vector<T> x = random_vector<T>(size_x(s), 1), y(static_cast<std::size_t>(size_y(s)));
    for (std::size_t j = 0; j < x.size(); j += 3) x[j] = static_cast<T>(1.5);  // ties
    if (x.size() > 20) x[17] = x[19] = testing::not_a_number<T>();
    std::vector<std::int32_t> argmax(y.size());
    expect_parity<T>(size_y(s),
                     [&](auto d, T* out) { max_pool_forward(d, s, x.data(), out, argmax.data()); });
    expect_parity<std::int32_t>(
        size_y(s), [&](auto d, std::int32_t* where) { max_pool_forward(d, s, x.data(), y.data(), where); });
    max_pool_forward(Reference{}, s, x.data(), y.data(), argmax.data());
    const double overlap = static_cast<double>(s.kernel_h * s.kernel_w);
    expect_parity<T>(
        size_x(s), [&](auto d, T* dx) { max_pool_backward(d, s, dy.data(), argmax.data(), dx); }, overlap, 1);
  }
}

TYPED_TEST(Pool, AverageParity) {
  using T = TypeParam;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    SCOPED_TRACE(i);
    const Pool2dShape& s = shapes[i];
    const std::vector<T> x = random_vector<T>(size_x(s), 1), dy = random_vector<T>(size_y(s), 2);
    const double terms = static_cast<double>(s.kernel_h * s.kernel_w);
    expect_parity<T>(
        size_y(s), [&](auto d, T* y) { avg_pool_forward(d, s, x.data(), y); }, terms, 0.1);
    expect_parity<T>(
        size_x(s), [&](auto d, T* dx) { avg_pool_backward(d, s, dy.data(), dx); }, terms, 0.1);
  }
}

TEST(ReferencePool, KnownValues) {
  const double x[9] = {1, 2, 3, 4, 9, 6, 7, 9, 8};  // 3 x 3
  const Pool2dShape s{.n = 1, .h = 3, .w = 3, .c = 1, .stride_h = 1, .stride_w = 1};
  double y[4], dx[9];
  std::int32_t argmax[4];
  max_pool_forward(Reference{}, s, x, y, argmax);
  EXPECT_EQ(std::vector<double>(y, y + 4), (std::vector<double>{9, 9, 9, 9}));
  EXPECT_EQ(std::vector<std::int32_t>(argmax, argmax + 4), (std::vector<std::int32_t>{4, 4, 4, 4}));
  const double dy[4] = {1, 10, 100, 1000};
  max_pool_backward(Reference{}, s, dy, argmax, dx);
  EXPECT_EQ(dx[4], 1111);
  EXPECT_EQ(dx[7], 0);  // tied, but later
  avg_pool_forward(Reference{}, s, x, y);
  EXPECT_EQ(y[0], 4);
  avg_pool_backward(Reference{}, s, dy, dx);
  EXPECT_EQ(dx[0], 0.25);
  EXPECT_EQ(dx[4], 1111 / 4.0);
}

// "same" pooling: the border's average is over what is there, and negative numbers beat the padding.
TEST(ReferencePool, PaddingNeverCounts) {
  const double x[4] = {-1, -2, -3, -4};  // 2 x 2
  const Pool2dShape s{.n = 1, .h = 2, .w = 2, .c = 1, .pad_h = 1, .pad_w = 1};
  double y[4];
  std::int32_t argmax[4];
  max_pool_forward(Reference{}, s, x, y, argmax);
  EXPECT_EQ(std::vector<double>(y, y + 4), (std::vector<double>{-1, -2, -3, -4}));
  avg_pool_forward(Reference{}, s, x, y);
  EXPECT_EQ(std::vector<double>(y, y + 4), (std::vector<double>{-1, -2, -3, -4}));
}

}  // namespace
}  // namespace roentgen::kernels

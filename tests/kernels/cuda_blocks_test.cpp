#if ROENTGEN_WITH_CUDA

#include <gtest/gtest.h>

#include "kernels/blocks.h"
#include "kernels/random.h"
#include "tests/kernels/cuda_support.h"

namespace roentgen::kernels {
namespace {

using namespace cuda_testing;

template <class T>
class CudaBlocks : public CudaTest {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(CudaBlocks, Types);

constexpr RandomKey key{99, Purpose::dropout, 2, 17};

// Each device lays its mask out as it likes.
class Mask {
 public:
  explicit Mask(const ConvBlockShape& shape)
      : host_(static_cast<std::size_t>(conv_block_mask_bytes(Reference{}, shape)) + 1),
        device_(std::vector<std::uint8_t>(static_cast<std::size_t>(conv_block_mask_bytes(device(), shape)),
                                          0xAB)) {}
  std::uint8_t* operator()(Reference) { return host_.data(); }
  std::uint8_t* operator()(Cuda d) { return device_(d); }

 private:
  std::vector<std::uint8_t> host_;
  Array<std::uint8_t> device_;
};

struct Case {
  Conv2dShape conv;
  std::int64_t pool;
};
const Case general[] = {
    {.conv = {.n = 1, .h = 1, .w = 1, .c = 1, .k = 1, .r = 1, .s = 1}, .pool = 1},
    {.conv = {.n = 2, .h = 9, .w = 8, .c = 2, .k = 5, .r = 3, .s = 3}, .pool = 2},
    {.conv = {.n = 2, .h = 13, .w = 9, .c = 3, .k = 8, .r = 3, .s = 3}, .pool = 2},
    {.conv = {.n = 1, .h = 12, .w = 13, .c = 5, .k = 7, .r = 3, .s = 2, .pad_h = 1}, .pool = 3},
    {.conv = {.n = 1, .h = 14, .w = 13, .c = 2, .k = 4, .r = 1, .s = 1}, .pool = 4},
    {.conv = {.n = 3,
              .h = 11,
              .w = 15,
              .c = 4,
              .k = 12,
              .r = 3,
              .s = 3,
              .stride_h = 2,
              .pad_h = 1,
              .pad_w = 1,
              .dilation_w = 2},
     .pool = 2},
    {.conv = {.n = 0, .h = 8, .w = 8, .c = 3, .k = 4, .r = 3, .s = 3}, .pool = 2},
};
// Those with three channels and 32 filters have kernels of their own.
const Case first[] = {
    {.conv = {.n = 1, .h = 4, .w = 4, .c = 3, .k = 32, .r = 3, .s = 3}, .pool = 2},
    {.conv = {.n = 2, .h = 17, .w = 23, .c = 3, .k = 64, .r = 3, .s = 3}, .pool = 2},
    {.conv = {.n = 1, .h = 7, .w = 140, .c = 3, .k = 32, .r = 3, .s = 3, .pad_h = 1, .pad_w = 1}, .pool = 2},
    {.conv = {.n = 0, .h = 8, .w = 8, .c = 3, .k = 32, .r = 3, .s = 3}, .pool = 2},
};

template <class T>
void check_conv_block(const Case& shape, float rate, bool with_dx, bool with_bias) {
  const ConvBlockShape s{.conv = shape.conv, .pool = shape.pool, .rate = rate, .key = key};
  const Conv2dShape& c = s.conv;
  SCOPED_TRACE(testing::Message() << c.n << " x " << c.h << " x " << c.w << " x " << c.c << ", " << c.k
                                  << " filters, pool " << s.pool << ", rate " << rate << ", dx " << with_dx);
  const std::int64_t n_x = c.n * c.h * c.w * c.c, n_f = c.k * c.r * c.s * c.c,
                     n_y = c.n * s.out_h() * s.out_w() * c.k;
  // Whole numbers below 256, so that bfloat16 holds every pre-activation; halving and doubling is exact.
  Array<T> x(whole_values<T>(n_x, 1, 2)), filters(whole_values<T>(n_f, 2, 1)), dy(whole_values<T>(n_y, 3, 3));
  Array<float> bias(whole_values<float>(c.k, 4, 2));
  Array<T> y = Array<T>::output(n_y), dx = Array<T>::output(n_x);
  Array<float> dfilters = Array<float>::output(n_f), dbias = Array<float>::output(c.k);
  Mask mask(s);
  const auto b = [&](auto d) { return with_bias ? bias(d) : nullptr; };
  // At other rates the reference rounds each gradient to T before it sums them.
  const bool is_exact = rate == 0.5f || rate == 0, low = std::is_same_v<T, bfloat16>;
  const Tolerance tolerance = is_exact ? exact : Tolerance{static_cast<double>(n_y / c.k + 1), 0, low};
  expect_parity(
      tolerance, [&](auto d) { conv_block_forward(d, s, x(d), filters(d), b(d), y(d), mask(d)); }, y);
  if (with_dx) {
    expect_parity(
        tolerance,
        [&](auto d) {
          conv_block_backward(d, s, x(d), filters(d), mask(d), dy(d), dx(d), dfilters(d), dbias(d));
        },
        dx, dfilters, dbias);
  } else {
    expect_parity(
        tolerance,
        [&](auto d) {
          conv_block_backward(d, s, x(d), filters(d), mask(d), dy(d), static_cast<T*>(nullptr), dfilters(d),
                              with_bias ? dbias(d) : nullptr);
        },
        dfilters, dbias);
  }
  // Without a mask the outputs are the same.
  const std::vector<T> with_mask = y.fetched();
  y.restore();
  conv_block_forward(device(), s, x(device()), filters(device()), b(device()), y(device()), nullptr);
  EXPECT_TRUE(y.fetched() == with_mask);
}

TYPED_TEST(CudaBlocks, ConvBlock) {
  for (const Case& shape : general)
    for (const float rate : {0.0f, 0.5f, 0.23f})
      check_conv_block<TypeParam>(shape, rate, rate != 0, rate == 0);
}

TYPED_TEST(CudaBlocks, FirstLayer) {
  for (const Case& shape : first) {
    check_conv_block<TypeParam>(shape, 0.0f, false, true);
    check_conv_block<TypeParam>(shape, 0.5f, true, false);
    check_conv_block<TypeParam>(shape, 0.23f, false, true);
  }
}

// So that a block sums the gradients of more than one row of outputs.
TYPED_TEST(CudaBlocks, FirstLayerOfTallImages) {
  check_conv_block<TypeParam>({{.n = 3, .h = 352, .w = 6, .c = 3, .k = 32, .r = 3, .s = 3}, 2}, 0.5f, false,
                              true);
}

TYPED_TEST(CudaBlocks, NotANumberPassesConvBlock) {
  using T = TypeParam;
  for (const Case& shape : {general[2], first[1]}) {
    const ConvBlockShape s{.conv = shape.conv, .pool = shape.pool, .rate = 0, .key = key};
    const Conv2dShape& c = s.conv;
    std::vector<T> values = whole_values<T>(c.n * c.h * c.w * c.c, 1, 2);
    values[values.size() / 2] = static_cast<T>(std::nanf(""));
    Array<T> x(values), filters(whole_values<T>(c.k * c.r * c.s * c.c, 2, 1));
    Array<T> y = Array<T>::output(c.n * s.out_h() * s.out_w() * c.k);
    expect_parity(
        {},
        [&](auto d) {
          conv_block_forward(d, s, x(d), filters(d), static_cast<const float*>(nullptr), y(d),
                             static_cast<std::uint8_t*>(nullptr));
        },
        y);
  }
}

TYPED_TEST(CudaBlocks, LinearBlock) {
  using T = TypeParam;
  const LinearShape shapes[] = {{1, 1, 1}, {0, 3, 5}, {11, 7, 13}, {16, 4000, 64}, {33, 65, 70}};
  for (const LinearShape& linear : shapes)
    for (const float rate : {0.0f, 0.5f}) {
      SCOPED_TRACE(testing::Message()
                   << linear.rows << " x " << linear.in << " x " << linear.out << ", rate " << rate);
      const LinearBlockShape s{.linear = linear, .rate = rate, .key = key};
      const std::int64_t n_y = linear.rows * linear.out;
      Array<T> x(whole_values<T>(linear.rows * linear.in, 5, 2)),
          w(whole_values<T>(linear.out * linear.in, 6, 2));
      Array<T> dy(whole_values<T>(n_y, 7, 3)), y = Array<T>::output(n_y),
                                               dx = Array<T>::output(linear.rows * linear.in);
      Array<float> bias(whole_values<float>(linear.out, 8, 2)), dbias = Array<float>::output(linear.out);
      Array<float> dw = Array<float>::output(linear.out * linear.in);
      expect_parity(
          exact, [&](auto d) { linear_block_forward(d, s, x(d), w(d), bias(d), y(d)); }, y);
      Array<T> kept(y.host());
      expect_parity(
          exact,
          [&](auto d) { linear_block_backward(d, s, x(d), w(d), kept(d), dy(d), dx(d), dw(d), dbias(d)); },
          dx, dw, dbias);
    }
}

}  // namespace
}  // namespace roentgen::kernels

#endif

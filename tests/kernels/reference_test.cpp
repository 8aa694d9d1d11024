// The reference kernels that other kernels are compared with elsewhere (products, convolution, blocks,
// optimisers, augmentation, memory), against formulas written apart from them and numbers worked out by hand.
#include <gtest/gtest.h>

#include "kernels/augment.h"
#include "kernels/blocks.h"
#include "kernels/elementwise.h"
#include "kernels/memory.h"
#include "kernels/optimizer.h"
#include "kernels/pool.h"
#include "kernels/random.h"
#include "tests/kernels/compare.h"

namespace roentgen::kernels {
namespace {

using testing::random_vector;
using Doubles = std::vector<double>;

const Reference device;

double dot(const Doubles& a, const Doubles& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

void expect_equal(const Doubles& got, const Doubles& want, double tolerance = 1e-12) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], tolerance) << "at " << i;
}

TEST(ReferenceMatmul, KnownValuesUnderEveryTranspose) {
  const Doubles a = {1, 2, 3, 4, 5, 6}, a_t = {1, 4, 2, 5, 3, 6};  // 2 x 3
  const Doubles b = {1, 0, 2, 1, 0, 3}, b_t = {1, 2, 0, 0, 1, 3};  // 3 x 2
  const Doubles want = {5, 11, 14, 23};
  for (const bool ta : {false, true})
    for (const bool tb : {false, true}) {
      Doubles c(4);
      matmul(device, {.m = 2, .n = 2, .k = 3, .transpose_a = ta, .transpose_b = tb}, (ta ? a_t : a).data(),
             (tb ? b_t : b).data(), c.data());
      EXPECT_EQ(c, want) << ta << tb;
    }
}

TEST(ReferenceMatmul, BatchesShareOrStep) {
  const Doubles a = {1, 2, 3, 4}, b = {10};  // two 2 x 1 and one 1 x 1
  Doubles c(4);
  matmul(device, {.batch = 2, .m = 2, .n = 1, .k = 1, .a_stride = 2}, a.data(), b.data(), c.data());
  EXPECT_EQ(c, (Doubles{10, 20, 30, 40}));
  matmul(device, {.m = 2, .n = 2, .k = 0}, a.data(), b.data(), c.data());
  EXPECT_EQ(c, (Doubles{0, 0, 0, 0}));
}

// <y, dy> = <x, dx> = <w, dw> for what is linear in x and in w.
TEST(ReferenceLinear, ForwardAndAdjoints) {
  const LinearShape s{.rows = 2, .in = 3, .out = 2};
  const Doubles x = {1, 2, 3, 4, 5, 6}, w = {1, 0, 2, -1, 1, 0}, bias = {10, 20}, dy = {1, -2, 0.5, 3};
  Doubles y(4), dx(6), dw(6), dbias(2);
  linear_forward(device, s, x.data(), w.data(), bias.data(), y.data());
  EXPECT_EQ(y, (Doubles{17, 21, 26, 21}));
  linear_forward(device, s, x.data(), w.data(), static_cast<const double*>(nullptr), y.data());
  linear_backward_data(device, s, dy.data(), w.data(), dx.data());
  linear_backward_weights(device, s, x.data(), dy.data(), dw.data(), dbias.data());
  EXPECT_NEAR(dot(y, dy), dot(x, dx), 1e-12);
  EXPECT_NEAR(dot(y, dy), dot(w, dw), 1e-12);
  EXPECT_EQ(dx, (Doubles{3, -2, 2, -2.5, 3, 1}));
  EXPECT_EQ(dbias, (Doubles{1.5, 1}));
}

const std::vector<Conv2dShape> convolutions = {
    {.n = 1, .h = 1, .w = 1, .c = 1, .k = 1, .r = 1, .s = 1},
    {.n = 2, .h = 5, .w = 7, .c = 3, .k = 4, .r = 3, .s = 3},
    {.n = 2, .h = 6, .w = 5, .c = 2, .k = 3, .r = 3, .s = 2, .pad_h = 1, .pad_w = 2},
    {.n = 1, .h = 9, .w = 8, .c = 3, .k = 2, .r = 2, .s = 3, .stride_h = 2, .stride_w = 3, .pad_h = 1},
    {.n = 1,
     .h = 9,
     .w = 11,
     .c = 1,
     .k = 5,
     .r = 3,
     .s = 3,
     .stride_h = 2,
     .pad_h = 2,
     .pad_w = 3,
     .dilation_h = 2,
     .dilation_w = 3},
    {.n = 0, .h = 5, .w = 5, .c = 2, .k = 2, .r = 3, .s = 3}};

// Seven loops over the definition, an element of x at a time.
Doubles convolve(const Conv2dShape& s, const Doubles& x, const Doubles& f, const Doubles& bias) {
  Doubles y;
  const auto at = [&](std::int64_t n, std::int64_t i, std::int64_t j, std::int64_t c) {
    if (i < 0 || i >= s.h || j < 0 || j >= s.w) return 0.0;
    return x[static_cast<std::size_t>(((n * s.h + i) * s.w + j) * s.c + c)];
  };
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t i = 0; i < s.out_h(); ++i)
      for (std::int64_t j = 0; j < s.out_w(); ++j)
        for (std::int64_t k = 0; k < s.k; ++k) {
          double total = bias[static_cast<std::size_t>(k)];
          for (std::int64_t r = 0; r < s.r; ++r)
            for (std::int64_t q = 0; q < s.s; ++q)
              for (std::int64_t c = 0; c < s.c; ++c)
                total += at(n, i * s.stride_h + r * s.dilation_h - s.pad_h,
                            j * s.stride_w + q * s.dilation_w - s.pad_w, c) *
                         f[static_cast<std::size_t>(((k * s.r + r) * s.s + q) * s.c + c)];
          y.push_back(total);
        }
  return y;
}

TEST(ReferenceConv2d, ForwardIsTheDefinitionAndBackwardItsAdjoint) {
  for (std::size_t i = 0; i < convolutions.size(); ++i) {
    SCOPED_TRACE(i);
    const Conv2dShape& s = convolutions[i];
    const Doubles x = random_vector<double>(s.n * s.h * s.w * s.c, 1);
    const Doubles f = random_vector<double>(s.k * s.r * s.s * s.c, 2), bias = random_vector<double>(s.k, 3);
    const Doubles dy = random_vector<double>(s.n * s.out_h() * s.out_w() * s.k, 4);
    Doubles y(dy.size(), NAN), dx(x.size(), NAN), df(f.size(), NAN), dbias(bias.size(), NAN);
    conv2d_forward(device, s, x.data(), f.data(), bias.data(), y.data());
    expect_equal(y, convolve(s, x, f, bias));
    conv2d_forward(device, s, x.data(), f.data(), static_cast<const double*>(nullptr), y.data());
    expect_equal(y, convolve(s, x, f, Doubles(bias.size())));
    conv2d_backward_data(device, s, dy.data(), f.data(), dx.data());
    conv2d_backward_weights(device, s, x.data(), dy.data(), df.data(), dbias.data());
    // Linear in x and in f: against directions drawn anew, so that every element counts.
    const Doubles x2 = random_vector<double>(static_cast<std::int64_t>(x.size()), 5);
    const Doubles f2 = random_vector<double>(static_cast<std::int64_t>(f.size()), 6);
    EXPECT_NEAR(dot(dx, x2), dot(dy, convolve(s, x2, f, Doubles(bias.size()))), 1e-10);
    EXPECT_NEAR(dot(df, f2), dot(dy, convolve(s, x, f2, Doubles(bias.size()))), 1e-10);
    Doubles ones(bias.size());
    for (std::size_t j = 0; j < dy.size(); ++j) ones[j % bias.size()] += dy[j];
    expect_equal(dbias, ones);
  }
}

struct BlockCase {
  Conv2dShape conv;
  std::int64_t pool;
  float rate;
};

// The block against its parts, forward and (through central differences) backward.
TEST(ReferenceBlocks, ConvBlock) {
  const std::vector<BlockCase> cases = {
      {{.n = 2, .h = 7, .w = 8, .c = 2, .k = 3, .r = 3, .s = 3}, 2, 0.3f},
      {{.n = 1, .h = 9, .w = 7, .c = 1, .k = 2, .r = 2, .s = 2, .pad_h = 1}, 3, 0},
      {{.n = 1, .h = 4, .w = 5, .c = 3, .k = 2, .r = 1, .s = 1}, 1, 0.5f}};
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const ConvBlockShape s{
        .conv = cases[i].conv, .pool = cases[i].pool, .rate = cases[i].rate, .key = {.seed = 3}};
    const Conv2dShape& c = s.conv;
    Doubles x = random_vector<double>(c.n * c.h * c.w * c.c, 1);
    Doubles f = random_vector<double>(c.k * c.r * c.s * c.c, 2),
            bias = random_vector<double>(c.k, 3, -0.5, 0.5);
    const std::int64_t n = c.n * s.out_h() * s.out_w() * c.k;
    Doubles y(static_cast<std::size_t>(n)), dx(x.size()), df(f.size()), dbias(bias.size());
    std::vector<std::uint8_t> mask(static_cast<std::size_t>(conv_block_mask_bytes(device, s)));
    conv_block_forward(device, s, x.data(), f.data(), bias.data(), y.data(), mask.data());

    Doubles full = convolve(c, x, f, bias), pooled(y.size());
    std::vector<std::int32_t> argmax(y.size());
    for (double& v : full) v = std::max(v, 0.0);
    const Pool2dShape pool{.n = c.n,
                           .h = c.out_h(),
                           .w = c.out_w(),
                           .c = c.k,
                           .kernel_h = s.pool,
                           .kernel_w = s.pool,
                           .stride_h = s.pool,
                           .stride_w = s.pool};
    max_pool_forward(device, pool, full.data(), pooled.data(), argmax.data());
    dropout(device, pooled.data(), pooled.data(), n, s.rate, s.key);
    expect_equal(y, pooled);

    const Doubles dy = random_vector<double>(n, 4);
    conv_block_backward(device, s, x.data(), f.data(), mask.data(), dy.data(), dx.data(), df.data(),
                        dbias.data());
    const auto loss = [&] {
      conv_block_forward(device, s, x.data(), f.data(), bias.data(), y.data(),
                         static_cast<std::uint8_t*>(nullptr));
      return dot(y, dy);
    };
    const auto expect_slopes = [&](Doubles& of, const Doubles& gradient) {
      for (std::size_t j = 0; j < of.size(); ++j) {
        const double at = of[j], step = 1e-7;
        of[j] = at + step;
        const double above = loss();
        of[j] = at - step;
        const double below = loss();
        of[j] = at;
        ASSERT_NEAR(gradient[j], (above - below) / (2 * step), 1e-5) << "at " << j;
      }
    };
    expect_slopes(x, dx);
    expect_slopes(f, df);
    expect_slopes(bias, dbias);
  }
}

TEST(ReferenceBlocks, LinearBlock) {
  const LinearBlockShape s{.linear = {.rows = 5, .in = 7, .out = 13}, .rate = 0.4f, .key = {.seed = 8}};
  Doubles x = random_vector<double>(35, 1), w = random_vector<double>(91, 2),
          bias = random_vector<double>(13, 3);
  const Doubles dy = random_vector<double>(65, 4);
  Doubles y(65), plain(65), dx(35), dw(91), dbias(13);
  const auto loss = [&] {
    linear_block_forward(device, s, x.data(), w.data(), bias.data(), y.data());
    return dot(y, dy);
  };
  loss();
  linear_forward(device, s.linear, x.data(), w.data(), bias.data(), plain.data());
  relu_forward(device, plain.data(), plain.data(), 65);
  dropout(device, plain.data(), plain.data(), 65, s.rate, s.key);
  expect_equal(y, plain);
  linear_block_backward(device, s, x.data(), w.data(), y.data(), dy.data(), dx.data(), dw.data(),
                        dbias.data());
  const auto expect_slopes = [&](Doubles& of, const Doubles& gradient) {
    for (std::size_t j = 0; j < of.size(); ++j) {
      const double at = of[j], step = 1e-7;
      of[j] = at + step;
      const double above = loss();
      of[j] = at - step;
      const double below = loss();
      of[j] = at;
      ASSERT_NEAR(gradient[j], (above - below) / (2 * step), 1e-5) << "at " << j;
    }
  };
  expect_slopes(x, dx);
  expect_slopes(w, dw);
  expect_slopes(bias, dbias);
}

// First steps by hand: with m = v = 0 Keras' Adam moves by lr sqrt(1 - b2) / (1 - b1) * (1 - b1) g /
// (sqrt((1 - b2) g^2) + eps), PyTorch's by lr g / (|g| + eps).
TEST(ReferenceOptimizer, AdamFirstStep) {
  for (const bool after : {false, true}) {
    const AdamStep step{
        .lr = 0.1, .epsilon = 0.01, .weight_decay = 0.5, .step = 1, .epsilon_after_correction = after};
    const double g = -0.25, root = std::sqrt(0.001);
    double w = 2, m = 0, v = 0;
    bfloat16 low;
    adam_step(device, step, &g, &w, &m, &v, &low, 1);
    const double moved = after ? 0.1 * g / (0.25 + 0.01) : 0.1 * root * g / (root * 0.25 + 0.01);
    EXPECT_NEAR(w, 2 * (1 - 0.1 * 0.5) - moved, 1e-12) << after;
    EXPECT_NEAR(m, 0.1 * g, 1e-15);
    EXPECT_NEAR(v, 0.001 * g * g, 1e-15);
    EXPECT_EQ(low, bfloat16(w));
  }
}

TEST(ReferenceOptimizer, AdamSecondStepCorrectsTheBias) {
  const double g[2] = {1, 3};
  double w = 0, m = 0, v = 0;
  for (int t = 1; t <= 2; ++t)
    adam_step(device, {.lr = 1, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 0, .step = t}, &g[t - 1], &w, &m, &v,
              static_cast<bfloat16*>(nullptr), 1);
  // t = 1: m = 0.5, v = 0.25, w = -1. t = 2: m = 1.75, v = 2.4375, 1 - b1^2 = 0.75, 1 - b2^2 = 0.4375.
  EXPECT_NEAR(w, -1 - std::sqrt(0.4375) / 0.75 * 1.75 / std::sqrt(2.4375), 1e-14);
}

TEST(ReferenceOptimizer, Sgd) {
  const double g = 2;
  double w = 1, velocity = 0.5;
  sgd_step(device, {.lr = 0.1}, &g, &w, static_cast<double*>(nullptr), static_cast<bfloat16*>(nullptr), 1);
  EXPECT_NEAR(w, 0.8, 1e-15);
  w = 1;
  sgd_step(device, {.lr = 0.1, .momentum = 0.5}, &g, &w, &velocity, static_cast<bfloat16*>(nullptr), 1);
  EXPECT_NEAR(velocity, 0.05, 1e-15);
  EXPECT_NEAR(w, 1.05, 1e-15);
  w = 1;
  velocity = 0.5;
  sgd_step(device, {.lr = 0.1, .momentum = 0.5, .weight_decay = 1, .nesterov = true}, &g, &w, &velocity,
           static_cast<bfloat16*>(nullptr), 1);
  EXPECT_NEAR(velocity, 0.25 - 0.3, 1e-15);
  EXPECT_NEAR(w, 1 + 0.5 * -0.05 - 0.3, 1e-15);
}

// A 3 x 3 image of two channels, the second 100 more than the first.
class ReferenceAugment : public ::testing::Test {
 protected:
  Doubles run(const Affine& map, double scale = 1) {
    Doubles y(18);
    augment(device, {.n = 1, .h = 3, .w = 3, .c = 2}, image_, &map, scale, y.data());
    return y;
  }
  static Doubles first_channel(const Doubles& y) {
    Doubles first;
    for (std::size_t i = 0; i < y.size(); i += 2) {
      first.push_back(y[i]);
      EXPECT_NEAR(y[i + 1], y[i] + 100, 1e-4);
    }
    return first;
  }
  const std::uint8_t image_[18] = {1, 101, 2, 102, 3, 103, 4, 104, 5, 105, 6, 106, 7, 107, 8, 108, 9, 109};
};

TEST_F(ReferenceAugment, IdentityFlipAndShift) {
  EXPECT_EQ(first_channel(run(keras_affine(0, 0, 0, 0, 1, 1, false, 3, 3))),
            (Doubles{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(first_channel(run(keras_affine(0, 0, 0, 0, 1, 1, true, 3, 3))),
            (Doubles{3, 2, 1, 6, 5, 4, 9, 8, 7}));
  // Down by one row reads the next one; the last is repeated. Half a column mixes two.
  EXPECT_EQ(first_channel(run(keras_affine(0, 1, 0, 0, 1, 1, false, 3, 3))),
            (Doubles{4, 5, 6, 7, 8, 9, 7, 8, 9}));
  EXPECT_EQ(first_channel(run(keras_affine(0, 0, 0.5, 0, 1, 1, false, 3, 3))),
            (Doubles{1.5, 2.5, 3, 4.5, 5.5, 6, 7.5, 8.5, 9}));
}

TEST_F(ReferenceAugment, QuarterTurnAndZoom) {
  // theta = 90: input row = -c, input column = r about the centre (to the map's float precision).
  expect_equal(first_channel(run(keras_affine(90, 0, 0, 0, 1, 1, false, 3, 3))), {7, 4, 1, 8, 5, 2, 9, 6, 3},
               1e-5);
  // Zoom 0.5 reads half as far from the centre.
  expect_equal(first_channel(run(keras_affine(0, 0, 0, 0, 0.5, 1, false, 3, 3))),
               {2.5, 3.5, 4.5, 4, 5, 6, 5.5, 6.5, 7.5}, 1e-5);
}

TEST_F(ReferenceAugment, ScalesWithoutAMap) {
  Doubles y(18);
  augment(device, {.n = 1, .h = 3, .w = 3, .c = 2}, image_, static_cast<const Affine*>(nullptr), 1 / 255.0,
          y.data());
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], 1 / 255.0 * image_[i]);
}

TEST(ReferenceMemory, CountsAndAligns) {
  const MemoryStats before = memory_stats(device);
  void* a = allocate(device, 1000);
  void* nothing = allocate(device, 0);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(a) % 64, 0u);
  EXPECT_EQ(memory_stats(device).in_use, before.in_use + 1000);
  zero(device, a, 1000);
  std::vector<std::uint8_t> host(1000, 7);
  copy_to_host(device, a, host.data(), 1000);
  EXPECT_EQ(host, std::vector<std::uint8_t>(1000, 0));
  deallocate(device, a, 1000);
  deallocate(device, nothing, 0);
  EXPECT_EQ(memory_stats(device).in_use, before.in_use);
  EXPECT_GE(memory_stats(device).peak, before.in_use + 1000);
  reset_peak(device);
  EXPECT_EQ(memory_stats(device).peak, before.in_use);
}

}  // namespace
}  // namespace roentgen::kernels

#if ROENTGEN_WITH_CUDNN

#include <gtest/gtest.h>

#include "kernels/cuda/cudnn_descriptors.h"
#include "kernels/cuda/cudnn_kernels.h"
#include "kernels/softmax.h"
#include "tests/kernels/cuda_support.h"

namespace roentgen::kernels {
namespace {

using namespace cuda_testing;

template <class T>
class CudnnKernels : public CudaTest {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(CudnnKernels, Types);

// Channels that are a multiple of eight, which every engine takes, and three, which few do.
const Conv2dShape convolutions[] = {
    {.n = 2, .h = 20, .w = 17, .c = 8, .k = 24, .r = 3, .s = 3, .pad_h = 1},
    {.n = 11, .h = 13, .w = 12, .c = 3, .k = 32, .r = 3, .s = 3},
    {.n = 1, .h = 16, .w = 16, .c = 16, .k = 8, .r = 3, .s = 5, .stride_h = 2, .pad_w = 2, .dilation_w = 2}};

template <class Device>
constexpr bool is_cuda = std::is_same_v<Device, Cuda>;

TYPED_TEST(CudnnKernels, Convolution) {
  using T = TypeParam;
  for (const bool deterministic : {false, true})
    for (const Conv2dShape& s : convolutions) {
      SCOPED_TRACE(testing::Message() << s.n << " x " << s.h << " x " << s.w << " x " << s.c
                                      << (deterministic ? " deterministic" : ""));
      device().context->options().deterministic = deterministic;
      const std::int64_t n_x = s.n * s.h * s.w * s.c, n_f = s.k * s.r * s.s * s.c,
                         n_y = s.n * s.out_h() * s.out_w() * s.k;
      Array<T> x(random_values<T>(n_x, 1)), filters(random_values<T>(n_f, 2)), dy(random_values<T>(n_y, 3));
      Array<float> bias(random_values<float>(s.k, 4));
      Array<T> y = Array<T>::output(n_y), dx = Array<T>::output(n_x);
      Array<float> dfilters = Array<float>::output(n_f), dbias = Array<float>::output(s.k);
      const double taps = static_cast<double>(s.r * s.s), pixels = static_cast<double>(n_y / s.k);
      constexpr bool low = std::is_same_v<T, bfloat16>;
      const auto bias_of = [&](auto d) { return low ? nullptr : bias(d); };  // bfloat16 fuses it where it can
      expect_parity(
          {taps * static_cast<double>(s.c)},
          [&](auto d) {
            if constexpr (is_cuda<decltype(d)>)
              EXPECT_TRUE(cudnn::conv2d_forward<T>(d, s, x(d), filters(d), bias_of(d), y(d)));
            else
              conv2d_forward<T>(d, s, x(d), filters(d), bias_of(d), y(d));
          },
          y);
      expect_parity(
          {taps * static_cast<double>(s.k)},
          [&](auto d) {
            if constexpr (is_cuda<decltype(d)>)
              EXPECT_TRUE(cudnn::conv2d_backward_data<T>(d, s, dy(d), filters(d), dx(d)));
            else
              conv2d_backward_data<T>(d, s, dy(d), filters(d), dx(d));
          },
          dx);
      expect_parity(
          {pixels, 0, low},
          [&](auto d) {
            if constexpr (is_cuda<decltype(d)>)
              EXPECT_TRUE(cudnn::conv2d_backward_weights<T>(d, s, x(d), dy(d), dfilters(d), dbias(d)));
            else
              conv2d_backward_weights<T>(d, s, x(d), dy(d), dfilters(d), dbias(d));
          },
          dfilters, dbias);
    }
  device().context->options().deterministic = false;
}

TYPED_TEST(CudnnKernels, UnalignedTensorsAreRefused) {
  using T = TypeParam;
  const Conv2dShape& s = convolutions[0];
  Array<T> x(random_values<T>(s.n * s.h * s.w * s.c, 1), 1), filters(random_values<T>(s.k * 9 * s.c, 2));
  Array<T> y = Array<T>::output(s.n * s.out_h() * s.out_w() * s.k);
  EXPECT_FALSE(cudnn::conv2d_forward<T>(device(), s, x(device()), filters(device()), nullptr, y(device())));
}

TYPED_TEST(CudnnKernels, Pooling) {
  using T = TypeParam;
  for (const Pool2dShape& s :
       {Pool2dShape{.n = 2, .h = 13, .w = 12, .c = 7},
        Pool2dShape{.n = 1, .h = 9, .w = 11, .c = 8, .kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1}}) {
    const std::int64_t n_x = s.n * s.h * s.w * s.c, n_y = s.n * s.out_h() * s.out_w() * s.c;
    // All different, also in bfloat16: equal maxima are nobody's to define.
    std::vector<T> values(static_cast<std::size_t>(n_x));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<T>(static_cast<float>((i * 37) % 251) - 125);
    Array<T> x(values), dy(random_values<T>(n_y, 2));
    Array<T> y = Array<T>::output(n_y), dx = Array<T>::output(n_x);
    Array<std::int32_t> argmax = Array<std::int32_t>::output(n_y);
    expect_parity(
        exact,
        [&](auto d) {
          if constexpr (is_cuda<decltype(d)>)
            EXPECT_TRUE(cudnn::max_pool_forward<T>(d, s, x(d), y(d)));
          else
            max_pool_forward<T>(d, s, x(d), y(d), argmax(d));
        },
        y);
    expect_parity(
        {9},
        [&](auto d) {
          if constexpr (is_cuda<decltype(d)>)
            EXPECT_TRUE(cudnn::max_pool_backward<T>(d, s, x(d), y(d), dy(d), dx(d)));
          else
            max_pool_backward<T>(d, s, dy(d), argmax(d), dx(d));
        },
        dx);
    expect_parity(
        {9},
        [&](auto d) {
          if constexpr (is_cuda<decltype(d)>)
            EXPECT_TRUE(cudnn::avg_pool_forward<T>(d, s, x(d), y(d)));
          else
            avg_pool_forward<T>(d, s, x(d), y(d));
        },
        y);
    expect_parity(
        {9},
        [&](auto d) {
          if constexpr (is_cuda<decltype(d)>)
            EXPECT_TRUE(cudnn::avg_pool_backward<T>(d, s, x(d), y(d), dy(d), dx(d)));
          else
            avg_pool_backward<T>(d, s, dy(d), dx(d));
        },
        dx);
  }
}

TYPED_TEST(CudnnKernels, Softmax) {
  using T = TypeParam;
  const std::int64_t rows = 13, c = 31;
  Array<T> x(random_values<T>(rows * c, 1, -4, 4)), dy(random_values<T>(rows * c, 2));
  Array<T> y = Array<T>::output(rows * c), dx = Array<T>::output(rows * c);
  const Tolerance tolerance{static_cast<double>(c)};
  expect_parity(
      tolerance,
      [&](auto d) {
        if constexpr (is_cuda<decltype(d)>)
          EXPECT_TRUE(cudnn::softmax_forward<T>(d, x(d), y(d), rows, c));
        else
          softmax_forward<T>(d, x(d), y(d), rows, c);
      },
      y);
  expect_parity(
      tolerance,
      [&](auto d) {
        if constexpr (is_cuda<decltype(d)>)
          EXPECT_TRUE(cudnn::softmax_backward<T>(d, y(d), dy(d), dx(d), rows, c));
        else
          softmax_backward<T>(d, y(d), dy(d), dx(d), rows, c);
      },
      dx);
  expect_parity(
      tolerance,
      [&](auto d) {
        if constexpr (is_cuda<decltype(d)>)
          EXPECT_TRUE(cudnn::log_softmax_forward<T>(d, x(d), y(d), rows, c));
        else
          log_softmax_forward<T>(d, x(d), y(d), rows, c);
      },
      y);
  expect_parity(
      tolerance,
      [&](auto d) {
        if constexpr (is_cuda<decltype(d)>)
          EXPECT_TRUE(cudnn::log_softmax_backward<T>(d, y(d), dy(d), dx(d), rows, c));
        else
          log_softmax_backward<T>(d, y(d), dy(d), dx(d), rows, c);
      },
      dx);
}

class CudnnDropout : public CudaTest {};
TEST_F(CudnnDropout, DropsItsShareAndBackwardTakesTheSameMask) {
  const std::int64_t n = 100000;
  const float rate = 0.25f;
  const cudnn::Dropout dropout(device(), rate, 7);
  Array<float> ones(std::vector<float>(n, 1.0f));
  Array<float> y = Array<float>::output(n), dx = Array<float>::output(n);
  Array<std::uint8_t> mask =
      Array<std::uint8_t>::output(static_cast<std::int64_t>(dropout.mask_bytes<float>(n)));
  ASSERT_TRUE(dropout.forward<float>(ones(device()), y(device()), n, mask(device())));
  ASSERT_TRUE(dropout.backward<float>(ones(device()), dx(device()), n, mask(device())));
  const std::vector<float> forward = y.fetched();
  EXPECT_EQ(forward, dx.fetched());
  std::int64_t dropped = 0;
  for (const float value : forward) {
    if (value == 0)
      ++dropped;
    else
      ASSERT_FLOAT_EQ(value, 1 / (1 - rate));
  }
  EXPECT_NEAR(static_cast<double>(dropped) / n, rate, 0.01);  // seven standard deviations
}

// Without a GPU: what cuDNN understands of our shapes.
TEST(CudnnDescriptors, PoolingHasOurOutputSizes) {
  for (const Pool2dShape& s : {Pool2dShape{.n = 2, .h = 254, .w = 13, .c = 7}, Pool2dShape{.n = 1,
                                                                               .h = 9,
                                                                               .w = 11,
                                                                               .c = 8,
                                                                               .kernel_h = 3,
                                                                               .kernel_w = 4,
                                                                               .stride_h = 1,
                                                                               .stride_w = 3,
                                                                               .pad_h = 1,
                                                                               .pad_w = 2}}) {
    const auto tensor = cudnn::tensor_descriptor<float>(s.n, s.h, s.w, s.c);
    const auto pooling = cudnn::pooling_descriptor(s, CUDNN_POOLING_MAX);
    ASSERT_TRUE(tensor && pooling);
    int n = 0, c = 0, h = 0, w = 0;
    check(cudnnGetPooling2dForwardOutputDim(pooling->get(), tensor->get(), &n, &c, &h, &w));
    EXPECT_EQ(n, s.n);
    EXPECT_EQ(c, s.c);
    EXPECT_EQ(h, s.out_h());
    EXPECT_EQ(w, s.out_w());
  }
}

TEST(CudnnDescriptors, WhatCudnnCannotSayIsRefused) {
  EXPECT_FALSE(
      cudnn::pooling_descriptor({.n = 1, .h = 9, .w = 9, .c = 1, .dilation_h = 2}, CUDNN_POOLING_MAX));
  EXPECT_FALSE(cudnn::pooling_descriptor({.n = 1, .h = 9, .w = 9, .c = 1, .pad_w = 2}, CUDNN_POOLING_MAX));
  EXPECT_FALSE(cudnn::tensor_descriptor<float>(0, 1, 1, 3));
  EXPECT_FALSE(cudnn::tensor_descriptor<float>(1, 1, 1, std::int64_t{1} << 31));
  EXPECT_FALSE(cudnn::tensor_descriptor<float>(1 << 15, 1 << 6, 1 << 6, 1 << 4));
  EXPECT_TRUE(cudnn::tensor_descriptor<bfloat16>(16, 254, 254, 32));
}

TEST(CudnnDescriptors, MoveAndFree) {
  static_assert(!std::is_copy_constructible_v<cudnn::TensorDescriptor>);
  static_assert(std::is_nothrow_move_constructible_v<cudnn::TensorDescriptor>);
  cudnn::TensorDescriptor first;
  const auto raw = first.get();
  const cudnn::TensorDescriptor second = std::move(first);
  EXPECT_EQ(first.get(), nullptr);
  EXPECT_EQ(second.get(), raw);
}

}  // namespace
}  // namespace roentgen::kernels

#endif

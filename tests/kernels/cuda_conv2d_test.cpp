#if ROENTGEN_WITH_CUDA

#include <gtest/gtest.h>

#include "kernels/cuda/own.h"
#include "tests/kernels/cuda_support.h"

namespace roentgen::kernels {
namespace {

using namespace cuda_testing;

template <class T>
class CudaConv2d : public CudaTest {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(CudaConv2d, Types);

const Conv2dShape shapes[] = {
    {.n = 1, .h = 1, .w = 1, .c = 1, .k = 1, .r = 1, .s = 1},
    {.n = 0, .h = 5, .w = 5, .c = 3, .k = 2, .r = 3, .s = 3},
    {.n = 2, .h = 13, .w = 7, .c = 3, .k = 5, .r = 3, .s = 3},
    {.n = 1, .h = 31, .w = 13, .c = 3, .k = 32, .r = 3, .s = 3},
    {.n = 2, .h = 9, .w = 10, .c = 32, .k = 64, .r = 3, .s = 3},
    {.n = 11, .h = 6, .w = 6, .c = 7, .k = 13, .r = 1, .s = 1},
    {.n = 1, .h = 9, .w = 8, .c = 4, .k = 6, .r = 3, .s = 2, .pad_h = 2, .pad_w = 1},
    {.n = 2,
     .h = 11,
     .w = 9,
     .c = 3,
     .k = 70,
     .r = 3,
     .s = 3,
     .stride_h = 2,
     .stride_w = 3,
     .pad_h = 1,
     .pad_w = 1},
    {.n = 1,
     .h = 12,
     .w = 13,
     .c = 2,
     .k = 3,
     .r = 2,
     .s = 3,
     .stride_h = 3,
     .stride_w = 2,
     .pad_w = 2,
     .dilation_h = 2,
     .dilation_w = 3},
    {.n = 1,
     .h = 40,
     .w = 40,
     .c = 1,
     .k = 3,
     .r = 7,
     .s = 5,
     .stride_h = 1,
     .stride_w = 2,
     .pad_h = 3,
     .pad_w = 2},
};

// The hand-written kernels by name, whatever is chosen for the device.
struct Forward {
  template <class... A>
  void operator()(Cuda device, A... a) const {
    own::conv2d_forward(device, a...);
  }
  template <class... A>
  void operator()(Reference device, A... a) const {
    conv2d_forward(device, a...);
  }
};
struct BackwardData {
  template <class... A>
  void operator()(Cuda device, A... a) const {
    own::conv2d_backward_data(device, a...);
  }
  template <class... A>
  void operator()(Reference device, A... a) const {
    conv2d_backward_data(device, a...);
  }
};
struct BackwardWeights {
  template <class... A>
  void operator()(Cuda device, A... a) const {
    own::conv2d_backward_weights(device, a...);
  }
  template <class... A>
  void operator()(Reference device, A... a) const {
    conv2d_backward_weights(device, a...);
  }
};

TYPED_TEST(CudaConv2d, OwnKernelsAreExactOnWholeNumbers) {
  using T = TypeParam;
  for (const Conv2dShape& s : shapes) {
    SCOPED_TRACE(testing::Message() << s.n << " x " << s.h << " x " << s.w << " x " << s.c << ", " << s.k
                                    << " filters " << s.r << " x " << s.s);
    const std::int64_t n_x = s.n * s.h * s.w * s.c, n_f = s.k * s.r * s.s * s.c,
                       n_y = s.n * s.out_h() * s.out_w() * s.k;
    // Whole numbers: the sums are exact in any order.
    Array<T> x(whole_values<T>(n_x, 1, 3)), filters(whole_values<T>(n_f, 2, 3)),
        dy(whole_values<T>(n_y, 3, 3));
    Array<float> bias(whole_values<float>(s.k, 4, 3));
    Array<T> y = Array<T>::output(n_y), dx = Array<T>::output(n_x);
    Array<float> dfilters = Array<float>::output(n_f), dbias = Array<float>::output(s.k);
    // A pointer to const must be what each kernel deduces T from.
    const auto c = [](const auto* pointer) { return pointer; };
    expect_parity(
        exact, [&](auto d) { Forward{}(d, s, c(x(d)), c(filters(d)), c(bias(d)), y(d)); }, y);
    expect_parity(
        exact, [&](auto d) { BackwardData{}(d, s, c(dy(d)), c(filters(d)), dx(d)); }, dx);
    expect_parity(
        exact, [&](auto d) { BackwardWeights{}(d, s, c(x(d)), c(dy(d)), dfilters(d), dbias(d)); }, dfilters,
        dbias);
  }
}

TYPED_TEST(CudaConv2d, ChosenKernels) {
  using T = TypeParam;
  const Conv2dShape s{.n = 2, .h = 20, .w = 17, .c = 8, .k = 24, .r = 3, .s = 3, .pad_h = 1};
  const std::int64_t n_x = s.n * s.h * s.w * s.c, n_f = s.k * s.r * s.s * s.c,
                     n_y = s.n * s.out_h() * s.out_w() * s.k;
  Array<T> x(random_values<T>(n_x, 5)), filters(random_values<T>(n_f, 6)), dy(random_values<T>(n_y, 7));
  Array<float> bias(random_values<float>(s.k, 8));
  Array<T> y = Array<T>::output(n_y), dx = Array<T>::output(n_x);
  Array<float> dfilters = Array<float>::output(n_f), dbias = Array<float>::output(s.k);
  const double taps = static_cast<double>(s.r * s.s),
               pixels = static_cast<double>(s.n * s.out_h() * s.out_w());
  expect_parity(
      {taps * static_cast<double>(s.c)},
      [&](auto d) { conv2d_forward(d, s, x(d), filters(d), bias(d), y(d)); }, y);
  expect_parity(
      {taps * static_cast<double>(s.k)},
      [&](auto d) { conv2d_backward_data(d, s, dy(d), filters(d), dx(d)); }, dx);
  expect_parity(
      {pixels}, [&](auto d) { conv2d_backward_weights(d, s, x(d), dy(d), dfilters(d), dbias(d)); }, dfilters,
      dbias);
}

}  // namespace
}  // namespace roentgen::kernels

#endif

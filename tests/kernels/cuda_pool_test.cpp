#if ROENTGEN_WITH_CUDA

#include <gtest/gtest.h>

#include "kernels/pool.h"
#include "tests/kernels/cuda_support.h"

namespace roentgen::kernels {
namespace {

using namespace cuda_testing;

template <class T>
class CudaPool : public CudaTest {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(CudaPool, Types);

const Pool2dShape shapes[] = {
    {.n = 1, .h = 2, .w = 2, .c = 1},
    {.n = 2, .h = 13, .w = 7, .c = 5},
    {.n = 2, .h = 31, .w = 13, .c = 32},
    {.n = 0, .h = 4, .w = 4, .c = 3},
    {.n = 1,
     .h = 9,
     .w = 11,
     .c = 3,
     .kernel_h = 3,
     .kernel_w = 2,
     .stride_h = 2,
     .stride_w = 1,
     .pad_h = 1,
     .pad_w = 1},
    {.n = 2,
     .h = 9,
     .w = 8,
     .c = 7,
     .kernel_h = 3,
     .kernel_w = 3,
     .stride_h = 1,
     .stride_w = 1,
     .pad_h = 1,
     .pad_w = 1},
    {.n = 1,
     .h = 12,
     .w = 10,
     .c = 4,
     .kernel_h = 2,
     .kernel_w = 3,
     .stride_h = 3,
     .stride_w = 2,
     .dilation_h = 2,
     .dilation_w = 3},
    // Windows that hold padding only.
    {.n = 1,
     .h = 3,
     .w = 3,
     .c = 2,
     .kernel_h = 1,
     .kernel_w = 1,
     .stride_h = 2,
     .stride_w = 2,
     .pad_h = 2,
     .pad_w = 2},
};

TYPED_TEST(CudaPool, Max) {
  using T = TypeParam;
  for (const Pool2dShape& s : shapes) {
    SCOPED_TRACE(testing::Message() << s.h << " x " << s.w << " x " << s.c);
    const std::int64_t n_x = s.n * s.h * s.w * s.c, n_y = s.n * s.out_h() * s.out_w() * s.c;
    std::vector<T> values = whole_values<T>(n_x, 1, 3);  // with ties
    if (!values.empty()) values[values.size() / 2] = static_cast<T>(std::nanf(""));
    Array<T> x(values), y = Array<T>::output(n_y), dy(whole_values<T>(n_y, 2, 9)), dx = Array<T>::output(n_x);
    Array<std::int32_t> argmax = Array<std::int32_t>::output(n_y);
    expect_parity(
        {}, [&](auto d) { max_pool_forward(d, s, x(d), y(d), argmax(d)); }, y, argmax);
    Array<std::int32_t> where(argmax.host());
    expect_parity(
        exact, [&](auto d) { max_pool_backward(d, s, dy(d), where(d), dx(d)); }, dx);
  }
}

TYPED_TEST(CudaPool, Average) {
  using T = TypeParam;
  for (const Pool2dShape& s : shapes) {
    SCOPED_TRACE(testing::Message() << s.h << " x " << s.w << " x " << s.c);
    const std::int64_t n_x = s.n * s.h * s.w * s.c, n_y = s.n * s.out_h() * s.out_w() * s.c;
    Array<T> x(random_values<T>(n_x, 3)), y = Array<T>::output(n_y);
    Array<T> dy(random_values<T>(n_y, 4)), dx = Array<T>::output(n_x);
    const Tolerance window{static_cast<double>(s.kernel_h * s.kernel_w), 1};
    expect_parity(
        window, [&](auto d) { avg_pool_forward(d, s, x(d), y(d)); }, y);
    expect_parity(
        window, [&](auto d) { avg_pool_backward(d, s, dy(d), dx(d)); }, dx);
  }
}

}  // namespace
}  // namespace roentgen::kernels

#endif

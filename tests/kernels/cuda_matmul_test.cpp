#if ROENTGEN_WITH_CUDA

#include <gtest/gtest.h>

#include "kernels/blocks.h"
#include "kernels/matmul.h"
#include "tests/kernels/cuda_support.h"

namespace roentgen::kernels {
namespace {

using namespace cuda_testing;

template <class T>
class CudaMatmul : public CudaTest {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(CudaMatmul, Types);

// Whole numbers small enough that float sums of `terms` products are exact.
constexpr int range = 3;

struct Extents {
  std::int64_t m, n, k;
};
// One, tails on every side, exact tiles, a sum split over blocks.
const Extents extents[] = {{1, 1, 1},    {0, 5, 3},    {5, 3, 0},     {7, 13, 31},    {16, 64, 16},
                           {17, 65, 33}, {64, 64, 64}, {130, 70, 40}, {16, 64, 5003}, {3, 2, 1023}};

TYPED_TEST(CudaMatmul, EveryTranspositionAndBatch) {
  using T = TypeParam;
  for (const Extents& e : extents)
    for (const int turn : {0, 1, 2, 3})
      for (const std::int64_t batch : {1, 3}) {
        if (batch * e.k > 5003) continue;  // the longest sum once for each turn
        MatmulShape s{.batch = batch,
                      .m = e.m,
                      .n = e.n,
                      .k = e.k,
                      .transpose_a = turn % 2 == 1,
                      .transpose_b = turn >= 2};
        s.a_stride = e.m * e.k;
        s.b_stride = batch == 3 && turn == 0 ? 0 : e.k * e.n;  // one matrix for all
        SCOPED_TRACE(testing::Message()
                     << e.m << " x " << e.n << " x " << e.k << " turn " << turn << " batch " << batch);
        Array<T> a(whole_values<T>(batch * e.m * e.k, 1, range)),
            b(whole_values<T>(batch * e.k * e.n, 2, range));
        Array<T> c = Array<T>::output(batch * e.m * e.n);
        expect_parity(
            exact, [&](auto d) { matmul(d, s, a(d), b(d), c(d)); }, c);
      }
}

TYPED_TEST(CudaMatmul, Linear) {
  using T = TypeParam;
  for (const Extents& e : extents) {
    SCOPED_TRACE(testing::Message() << e.m << " x " << e.n << " x " << e.k);
    const LinearShape s{.rows = e.m, .in = e.k, .out = e.n};
    Array<T> x(whole_values<T>(e.m * e.k, 3, range)), w(whole_values<T>(e.n * e.k, 4, range));
    Array<T> dy(whole_values<T>(e.m * e.n, 5, range));
    Array<float> bias(whole_values<float>(e.n, 6, range));
    Array<T> y = Array<T>::output(e.m * e.n), dx = Array<T>::output(e.m * e.k);
    Array<float> dw = Array<float>::output(e.n * e.k), dbias = Array<float>::output(e.n);
    expect_parity(
        exact, [&](auto d) { linear_forward(d, s, x(d), w(d), bias(d), y(d)); }, y);
    expect_parity(
        exact, [&](auto d) { linear_forward(d, s, x(d), w(d), static_cast<float*>(nullptr), y(d)); }, y);
    expect_parity(
        exact, [&](auto d) { linear_backward_data(d, s, dy(d), w(d), dx(d)); }, dx);
    expect_parity(
        exact, [&](auto d) { linear_backward_weights(d, s, x(d), dy(d), dw(d), dbias(d)); }, dw, dbias);
  }
}

TYPED_TEST(CudaMatmul, LinearOfFractions) {
  using T = TypeParam;
  const LinearShape s{.rows = 16, .in = 4000, .out = 64};
  Array<T> x(random_values<T>(s.rows * s.in, 7)), w(random_values<T>(s.out * s.in, 8)),
      y = Array<T>::output(s.rows * s.out);
  Array<float> bias(random_values<float>(s.out, 9));
  expect_parity(
      {static_cast<double>(s.in)}, [&](auto d) { linear_forward(d, s, x(d), w(d), bias(d), y(d)); }, y);
}

}  // namespace
}  // namespace roentgen::kernels

#endif

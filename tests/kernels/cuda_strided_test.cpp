#if ROENTGEN_WITH_CUDA

#include <gtest/gtest.h>

#include "kernels/binary.h"
#include "kernels/strided.h"
#include "tests/kernels/cuda_support.h"

namespace roentgen::kernels {
namespace {

using namespace cuda_testing;

template <class T>
class CudaStrided : public CudaTest {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(CudaStrided, Types);

struct Case {
  const char* what;
  Broadcast shape;
  std::int64_t a, b, y;  // elements
};

const Case cases[] = {
    {"scalar", {.rank = 0}, 1, 1, 1},
    {"empty", {.rank = 2, .dims = {3, 0}, .a_strides = {1, 1}, .b_strides = {1, 1}}, 1, 1, 0},
    {"equal", {.rank = 2, .dims = {31, 37}, .a_strides = {37, 1}, .b_strides = {37, 1}}, 1147, 1147, 1147},
    {"row", {.rank = 2, .dims = {37, 13}, .a_strides = {13, 1}, .b_strides = {0, 1}}, 481, 13, 481},
    {"column", {.rank = 2, .dims = {37, 13}, .a_strides = {1, 0}, .b_strides = {13, 1}}, 37, 481, 481},
    {"number", {.rank = 1, .dims = {1023}, .a_strides = {1}, .b_strides = {0}}, 1023, 1, 1023},
    {"outer", {.rank = 2, .dims = {7, 300}, .a_strides = {1, 0}, .b_strides = {0, 1}}, 7, 300, 2100},
    {"middle",
     {.rank = 4, .dims = {2, 3, 5, 7}, .a_strides = {105, 35, 7, 1}, .b_strides = {7, 0, 0, 1}},
     210,
     14,
     210},
    {"turned",
     {.rank = 3, .dims = {5, 7, 11}, .a_strides = {1, 5, 35}, .b_strides = {77, 11, 1}},
     385,
     385,
     385},
};

TYPED_TEST(CudaStrided, Arithmetic) {
  using T = TypeParam;
  for (const Case& c : cases)
    for (const std::int64_t shift : {0, 1}) {
      SCOPED_TRACE(testing::Message() << c.what << ", shift " << shift);
      Array<T> a(whole_values<T>(c.a, 1, 9), shift), y = Array<T>::output(c.y);
      std::vector<T> divisors = whole_values<T>(c.b, 2, 9);
      for (T& d : divisors)
        if (static_cast<float>(d) == 0) d = T(2.0f);
      Array<T> b(divisors);
      expect_parity(
          exact, [&](auto d) { add(d, a(d), b(d), y(d), c.shape); }, y);
      expect_parity(
          exact, [&](auto d) { sub(d, a(d), b(d), y(d), c.shape); }, y);
      expect_parity(
          exact, [&](auto d) { mul(d, a(d), b(d), y(d), c.shape); }, y);
      expect_parity(
          {}, [&](auto d) { kernels::div(d, a(d), b(d), y(d), c.shape); }, y);
    }
}

template <class T>
void copies() {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    // From where `a` lies to contiguous memory, and back to where it does not repeat.
    StridedCopy shape{.rank = c.shape.rank};
    std::int64_t step = 1;
    for (int axis = c.shape.rank - 1; axis >= 0; --axis) {
      shape.dims[axis] = c.shape.dims[axis];
      shape.x_strides[axis] = c.shape.a_strides[axis];
      shape.y_strides[axis] = step;
      step *= c.shape.dims[axis];
    }
    Array<T> x(whole_values<T>(c.a, 3, 50)), y = Array<T>::output(c.y);
    expect_parity(
        exact, [&](auto d) { strided_copy(d, x(d), y(d), shape); }, y);
  }
  // Into every second column of a wider matrix: the rest stays as it is.
  const StridedCopy slice{.rank = 2, .dims = {9, 5}, .x_strides = {5, 1}, .y_strides = {16, 2}};
  Array<T> x(whole_values<T>(45, 4, 50)), y(whole_values<T>(9 * 16, 5, 50));
  expect_parity(
      exact, [&](auto d) { strided_copy(d, x(d), y(d), slice); }, y);
}

class CudaCopies : public CudaTest {};
TEST_F(CudaCopies, EveryType) {
  copies<float>();
  copies<bfloat16>();
  copies<std::uint8_t>();
  copies<std::int32_t>();
  copies<std::int64_t>();
}

}  // namespace
}  // namespace roentgen::kernels

#endif

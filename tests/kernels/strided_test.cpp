// Binary arithmetic with broadcasting, and copies between strided arrangements.
#include "kernels/strided.h"

#include <gtest/gtest.h>

#include "kernels/binary.h"
#include "kernels/cpu/nest.h"
#include "tests/kernels/compare.h"

namespace roentgen::kernels {
namespace {

using testing::expect_parity;
using testing::random_vector;

using Dims = std::vector<std::int64_t>;

std::int64_t count(const Dims& dims) {
  std::int64_t n = 1;
  for (const std::int64_t d : dims) n *= d;
  return n;
}

// Row-major strides of `dims`, 0 where `dims` is 1 and `to` is not.
Broadcast broadcast(const Dims& a, const Dims& b) {
  Broadcast shape{.rank = static_cast<int>(a.size())};
  std::int64_t a_stride = 1, b_stride = 1;
  for (std::size_t axis = a.size(); axis-- > 0;) {
    shape.dims[axis] = std::max(a[axis], b[axis]);
    if (a[axis] == 0 || b[axis] == 0) shape.dims[axis] = 0;
    shape.a_strides[axis] = a[axis] == 1 ? 0 : a_stride;
    shape.b_strides[axis] = b[axis] == 1 ? 0 : b_stride;
    a_stride *= a[axis];
    b_stride *= b[axis];
  }
  return shape;
}

struct Pair {
  Dims a, b;
};
const std::vector<Pair> pairs = {{{}, {}},
                                 {{1}, {1}},
                                 {{0}, {1}},
                                 {{17}, {17}},
                                 {{1023}, {1}},
                                 {{1}, {1023}},
                                 {{7, 13, 31}, {7, 13, 31}},
                                 {{7, 13, 31}, {1, 1, 31}},
                                 {{1, 13, 1}, {7, 13, 31}},
                                 {{7, 13, 1}, {7, 13, 31}},
                                 {{7, 1, 31}, {1, 13, 1}},
                                 {{2, 3, 1, 5, 1, 2, 1, 3}, {2, 1, 2, 5, 3, 1, 1, 3}},
                                 {{300, 200}, {300, 200}},
                                 {{20000, 3}, {1, 3}},
                                 {{3, 20000}, {3, 1}},
                                 {{4, 0, 5}, {1, 1, 5}}};

template <class T>
class Strided : public ::testing::Test {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(Strided, Types);

TYPED_TEST(Strided, BinaryParity) {
  using T = TypeParam;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    SCOPED_TRACE(i);
    const Broadcast shape = broadcast(pairs[i].a, pairs[i].b);
    std::int64_t n = 1;
    for (int axis = 0; axis < shape.rank; ++axis) n *= shape.dims[axis];
    const std::vector<T> a = random_vector<T>(count(pairs[i].a), 1);
    const std::vector<T> b = random_vector<T>(count(pairs[i].b), 2, 0.5, 3);
    expect_parity<T>(
        n, [&](auto d, T* y) { add(d, a.data(), b.data(), y, shape); }, 1);
    expect_parity<T>(
        n, [&](auto d, T* y) { sub(d, a.data(), b.data(), y, shape); }, 1);
    expect_parity<T>(
        n, [&](auto d, T* y) { mul(d, a.data(), b.data(), y, shape); }, 1);
    expect_parity<T>(
        n, [&](auto d, T* y) { div(d, a.data(), b.data(), y, shape); }, 1);
  }
}

// a read through strides of a transposed matrix.
TYPED_TEST(Strided, BinaryOfATransposedOperand) {
  using T = TypeParam;
  const std::vector<T> a = random_vector<T>(31 * 13, 1), b = random_vector<T>(31 * 13, 2);
  const Broadcast shape{.rank = 2, .dims = {13, 31}, .a_strides = {1, 13}, .b_strides = {31, 1}};
  expect_parity<T>(31 * 13, [&](auto d, T* y) { add(d, a.data(), b.data(), y, shape); });
}

TEST(ReferenceBinary, KnownValues) {
  const double a[3] = {1, 2, 3}, b[2] = {10, 20};
  double y[6];
  const Broadcast outer{.rank = 2, .dims = {3, 2}, .a_strides = {1, 0}, .b_strides = {0, 1}};
  sub(Reference{}, a, b, y, outer);
  EXPECT_EQ(y[0], -9);
  EXPECT_EQ(y[1], -19);
  EXPECT_EQ(y[4], -7);
  div(Reference{}, b, a, y, {.rank = 2, .dims = {3, 2}, .a_strides = {0, 1}, .b_strides = {1, 0}});
  EXPECT_EQ(y[3], 10);
  mul(Reference{}, a, b, y, outer);
  EXPECT_EQ(y[5], 60);
  add(Reference{}, a, b, y, outer);
  EXPECT_EQ(y[2], 12);
}

template <class T>
std::vector<T> counting(std::int64_t n) {
  std::vector<T> v(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    if constexpr (std::is_integral_v<T>)
      v[static_cast<std::size_t>(i)] = static_cast<T>(i);
    else
      v[static_cast<std::size_t>(i)] = static_cast<T>(static_cast<double>(i % 251));
  }
  return v;
}

struct CopyCase {
  StridedCopy shape;
  std::int64_t n_x, n_y, x_offset = 0, y_offset = 0;
};
const std::vector<CopyCase> copies = {
    {{}, 1, 1},                                                       // scalar
    {{1, {0}, {1}, {1}}, 4, 4},                                       // nothing
    {{1, {1023}, {1}, {1}}, 1023, 1023},                              // plain
    {{2, {300, 200}, {200, 1}, {200, 1}}, 60000, 60000},              // plain, merged axes
    {{2, {31, 13}, {1, 31}, {13, 1}}, 403, 403},                      // transpose
    {{2, {31, 13}, {13, 1}, {1, 31}}, 403, 403},                      // transpose, by writes
    {{4, {2, 7, 5, 3}, {105, 5, 1, 35}, {105, 15, 3, 1}}, 210, 210},  // NCHW to NHWC
    {{3, {7, 13, 17}, {0, 1, 0}, {221, 17, 1}}, 13, 1547},            // expand
    {{2, {7, 5}, {-13, 2}, {5, 1}}, 100, 35, 80},                     // reversed slice
    {{2, {9, 11}, {11, 1}, {40, 1}}, 99, 9 * 40, 0, 17},              // into a wider matrix
    {{8, {2, 1, 3, 2, 1, 2, 3, 2}, {72, 72, 24, 12, 12, 6, 2, 1}, {1, 1, 2, 6, 6, 12, 24, 72}}, 144, 144},
    {{2, {256, 256}, {1, 256}, {256, 1}}, 65536, 65536},  // more than a task
};

template <class T>
void check_copies() {
  for (std::size_t i = 0; i < copies.size(); ++i) {
    SCOPED_TRACE(i);
    const CopyCase& c = copies[i];
    const std::vector<T> x = counting<T>(c.n_x);
    expect_parity<T>(c.n_y,
                     [&](auto d, T* y) { strided_copy(d, x.data() + c.x_offset, y + c.y_offset, c.shape); });
  }
}

TEST(StridedCopy, ParityFloat) {
  check_copies<float>();
}
TEST(StridedCopy, ParityBfloat16) {
  check_copies<bfloat16>();
}
TEST(StridedCopy, ParityUint8) {
  check_copies<std::uint8_t>();
}
TEST(StridedCopy, ParityInt32) {
  check_copies<std::int32_t>();
}
TEST(StridedCopy, ParityInt64) {
  check_copies<std::int64_t>();
}

TEST(StridedCopy, ReferenceTransposes) {
  const std::int32_t x[6] = {1, 2, 3, 4, 5, 6};  // 2 x 3
  std::int32_t y[6];
  strided_copy(Reference{}, x, y, {2, {3, 2}, {1, 3}, {2, 1}});
  EXPECT_EQ(std::vector<std::int32_t>(y, y + 6), (std::vector<std::int32_t>{1, 4, 2, 5, 3, 6}));
}

// Runs of a nest, started and stopped anywhere, visit what indexing visits.
TEST(Nest, RunsCoverAnyRange) {
  Nest<2> nest;  // 3 x 1 x 4 x 5; the last two merge for neither operand
  nest.push(3, {100, 7});
  nest.push(1, {9999, 9999});
  nest.push(4, {20, 1});
  nest.push(5, {3, 50});
  ASSERT_EQ(nest.size(), 60);
  std::vector<std::pair<std::int64_t, std::int64_t>> want;
  for (std::int64_t i = 0; i < 3; ++i)
    for (std::int64_t j = 0; j < 4; ++j)
      for (std::int64_t k = 0; k < 5; ++k) want.emplace_back(100 * i + 20 * j + 3 * k, 7 * i + j + 50 * k);
  for (std::int64_t begin = 0; begin <= 60; ++begin)
    for (std::int64_t end = begin; end <= 60; ++end) {
      std::size_t at = static_cast<std::size_t>(begin);
      nest.runs(begin, end, [&](const std::int64_t(&offsets)[2], std::int64_t length) {
        for (std::int64_t i = 0; i < length; ++i, ++at) {
          ASSERT_EQ(offsets[0] + i * nest.inner_stride(0), want[at].first);
          ASSERT_EQ(offsets[1] + i * nest.inner_stride(1), want[at].second);
        }
      });
      ASSERT_EQ(at, static_cast<std::size_t>(end));
    }
}

TEST(Nest, MergesWhatLiesTogether) {
  Nest<1> nest;
  nest.push(4, {15});
  nest.push(3, {5});
  nest.push(5, {1});
  EXPECT_EQ(nest.inner(), 60);
}

}  // namespace
}  // namespace roentgen::kernels

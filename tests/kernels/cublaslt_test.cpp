#if ROENTGEN_WITH_CUBLASLT

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <type_traits>

#include "kernels/cuda/cublaslt_kernels.h"
#include "kernels/cuda/cublaslt_product.h"
#include "tests/kernels/cuda_support.h"

namespace roentgen::kernels {
namespace {

using namespace cuda_testing;

bool is_mapped() {
  std::ifstream maps("/proc/self/maps");
  std::ostringstream text;
  text << maps.rdbuf();
  return text.str().find("libcublasLt") != std::string::npos;
}
// Before any test has run.
const bool mapped_at_start = is_mapped();

class CublasLt : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string reason;
    if (!cublaslt::functions(&reason)) GTEST_SKIP() << "cuBLASLt cannot be loaded: " << reason;
  }
};

TEST_F(CublasLt, IsLoadedWhenItIsUsedAndNotBefore) {
  EXPECT_FALSE(mapped_at_start);
  EXPECT_TRUE(is_mapped());
}

TEST_F(CublasLt, ErrorsHaveItsTextAndOurPlace) {
  try {
    check(CUBLAS_STATUS_NOT_SUPPORTED);
    FAIL();
  } catch (const DeviceError& e) {
    const std::string what = e.what();
    EXPECT_EQ(what.rfind("cuBLASLt: CUBLAS_STATUS_NOT_SUPPORTED at ", 0), 0u) << what;
    EXPECT_NE(what.find("cublaslt_test.cpp:"), std::string::npos) << what;
  }
}

template <class T>
T read(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t name) {
  T value{};
  std::size_t written = 0;
  check(cublaslt::functions()->layout_get(layout, name, &value, sizeof(value), &written));
  EXPECT_EQ(written, sizeof(value));
  return value;
}

// A column-major matrix of a batch, as cuBLASLt takes its description.
struct Operand {
  std::uint64_t rows, columns;
  std::int64_t leading, stride = 0;
  std::int32_t batch;
  bool turned = false;

  explicit Operand(const cublaslt::Layout& layout)
      : rows(read<std::uint64_t>(layout.get(), CUBLASLT_MATRIX_LAYOUT_ROWS)),
        columns(read<std::uint64_t>(layout.get(), CUBLASLT_MATRIX_LAYOUT_COLS)),
        leading(read<std::int64_t>(layout.get(), CUBLASLT_MATRIX_LAYOUT_LD)),
        stride(read<std::int64_t>(layout.get(), CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET)),
        batch(read<std::int32_t>(layout.get(), CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT)) {}
  std::uint64_t height() const { return turned ? columns : rows; }
  std::uint64_t width() const { return turned ? rows : columns; }
  std::size_t at(std::int32_t b, std::uint64_t row, std::uint64_t column) const {
    if (turned) std::swap(row, column);
    return static_cast<std::size_t>(b * stride) + row + column * static_cast<std::size_t>(leading);
  }
};

// What cuBLASLt's manual says it computes from the description, computed here: it must be our product.
TEST_F(CublasLt, DescriptionsSayWhatTheReferenceComputes) {
  for (const int turn : {0, 1, 2, 3})
    for (const std::int64_t batch : {1, 3}) {
      MatmulShape s{.batch = batch,
                    .m = 5,
                    .n = 7,
                    .k = 3,
                    .transpose_a = turn % 2 == 1,
                    .transpose_b = turn >= 2,
                    .a_stride = 15};
      s.b_stride = turn == 0 ? 0 : 21;
      SCOPED_TRACE(testing::Message() << "turn " << turn << " batch " << batch);
      const cublaslt::Description description({.shape = s});
      Operand first(description.first), second(description.second), result(description.result);
      cublasOperation_t operation{};
      std::size_t written = 0;
      for (auto [operand, name] : {std::pair(&first, CUBLASLT_MATMUL_DESC_TRANSA),
                                   std::pair(&second, CUBLASLT_MATMUL_DESC_TRANSB)}) {
        check(cublaslt::functions()->operation_get(description.operation.get(), name, &operation,
                                                   sizeof(operation), &written));
        operand->turned = operation == CUBLAS_OP_T;
      }
      ASSERT_EQ(first.height(), result.height());
      ASSERT_EQ(second.width(), result.width());
      ASSERT_EQ(first.width(), second.height());
      ASSERT_EQ(result.batch, batch);
      const auto a = whole_values<float>(batch * 15, 1, 3), b = whole_values<float>(batch * 21, 2, 3);
      std::vector<float> want(static_cast<std::size_t>(batch * 35)), got(want.size());
      matmul(Reference{}, s, a.data(), b.data(), want.data());
      for (std::int32_t i = 0; i < result.batch; ++i)
        for (std::uint64_t row = 0; row < result.height(); ++row)
          for (std::uint64_t column = 0; column < result.width(); ++column) {
            float& sum = got.at(result.at(i, row, column));
            for (std::uint64_t k = 0; k < first.width(); ++k)
              sum += b.at(first.at(i, row, k)) * a.at(second.at(i, k, column));
          }
      EXPECT_EQ(got, want);
    }
}

TEST_F(CublasLt, OwnersMoveAndFree) {
  static_assert(!std::is_copy_constructible_v<cublaslt::Layout>);
  static_assert(std::is_nothrow_move_constructible_v<cublaslt::Layout> &&
                std::is_nothrow_move_constructible_v<cublaslt::Operation>);
  cublaslt::Description one({.shape = {.m = 2, .n = 3, .k = 4}});
  const auto raw = one.first.get();
  const cublaslt::Description other = std::move(one);
  EXPECT_EQ(other.first.get(), raw);
  EXPECT_EQ(one.first, nullptr);
}

template <class T>
class CublasLtKernels : public CudaTest {};
using Types = ::testing::Types<float, bfloat16>;
TYPED_TEST_SUITE(CublasLtKernels, Types);

TYPED_TEST(CublasLtKernels, EqualTheReferenceOnWholeNumbers) {
  using T = TypeParam;
  // Sums of whole numbers this small are exact, in tensor cores and out of them.
  for (const LinearShape& s : {LinearShape{16, 4096, 64}, LinearShape{11, 64, 3}, LinearShape{7, 13, 31}}) {
    SCOPED_TRACE(testing::Message() << s.rows << " x " << s.in << " x " << s.out);
    Array<T> x(whole_values<T>(s.rows * s.in, 1, 3)), w(whole_values<T>(s.out * s.in, 2, 3));
    Array<T> dy(whole_values<T>(s.rows * s.out, 3, 3));
    Array<float> bias(whole_values<float>(s.out, 4, 3));
    Array<T> y = Array<T>::output(s.rows * s.out), dx = Array<T>::output(s.rows * s.in);
    Array<float> dw = Array<float>::output(s.out * s.in), dbias = Array<float>::output(s.out);
    expect_parity(
        exact,
        [&](auto d) {
          if constexpr (std::is_same_v<decltype(d), Cuda>)
            EXPECT_TRUE(cublaslt::linear_forward<T>(d, s, x(d), w(d), bias(d), y(d)));
          else
            linear_forward<T>(d, s, x(d), w(d), bias(d), y(d));
        },
        y);
    expect_parity(
        exact,
        [&](auto d) {
          if constexpr (std::is_same_v<decltype(d), Cuda>)
            EXPECT_TRUE(cublaslt::linear_backward_data<T>(d, s, dy(d), w(d), dx(d)));
          else
            linear_backward_data<T>(d, s, dy(d), w(d), dx(d));
        },
        dx);
    expect_parity(
        exact,
        [&](auto d) {
          if constexpr (std::is_same_v<decltype(d), Cuda>)
            EXPECT_TRUE(cublaslt::linear_backward_weights<T>(d, s, x(d), dy(d), dw(d), dbias(d)));
          else
            linear_backward_weights<T>(d, s, x(d), dy(d), dw(d), dbias(d));
        },
        dw, dbias);
  }
}

}  // namespace
}  // namespace roentgen::kernels

#endif

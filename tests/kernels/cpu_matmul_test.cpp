#include <fmt/format.h>
#include <gtest/gtest.h>

#include <vector>

#include "kernels/matmul.h"
#include "tests/kernels/cpu_support.h"

namespace roentgen::kernels {
namespace {

using testing::expect_close;
using testing::random_values;
using testing::same_bits;
using testing::unwritten;

template <class T>
void expect_product(std::int64_t batch, std::int64_t m, std::int64_t n, std::int64_t k, int transposes,
                    bool shared) {
  const MatmulShape s{
      batch, m, n, k, (transposes & 1) != 0, (transposes & 2) != 0, m * k, shared ? 0 : k * n};
  SCOPED_TRACE(
      fmt::format("batch {} m {} n {} k {} transposes {} shared {}", batch, m, n, k, transposes, shared));
  const auto a = random_values<T>(batch * m * k, 1), b = random_values<T>(batch * k * n, 2);
  auto want = unwritten<T>(batch * m * n), got = want;
  matmul(Reference{}, s, a.data(), b.data(), want.data());
  matmul(Cpu{}, s, a.data(), b.data(), got.data());
  expect_close(want, got, k, "c");
}

TEST(CpuMatmul, EqualsReference) {
  for (int transposes = 0; transposes < 4; ++transposes)
    for (const bool shared : {false, true}) {
      expect_product<float>(1, 1, 1, 1, transposes, shared);
      expect_product<float>(3, 7, 13, 31, transposes, shared);
      expect_product<float>(2, 65, 64, 129, transposes, shared);
      expect_product<float>(1, 245, 257, 17, transposes, shared);
      expect_product<float>(1, 16, 300, 260, transposes, shared);
      expect_product<float>(2, 3, 5, 0, transposes, shared);
      expect_product<bfloat16>(3, 7, 13, 31, transposes, shared);
      expect_product<bfloat16>(1, 241, 70, 130, transposes, shared);
    }
}

const std::vector<LinearShape> layers = {{1, 1, 1},     {16, 5000, 64}, {11, 1023, 3},
                                         {5, 1025, 17}, {33, 129, 31},  {300, 65, 70},
                                         {2, 16, 1},    {0, 3, 4},      {4, 15, 6}};

template <class T>
struct Results {
  std::vector<T> y, dx;
  std::vector<float> dw, dbias;
};

template <class T, class Device>
Results<T> run(Device device, const LinearShape& s) {
  const auto x = random_values<T>(s.rows * s.in, 1), w = random_values<T>(s.out * s.in, 2),
             dy = random_values<T>(s.rows * s.out, 3);
  const auto bias = random_values<float>(s.out, 4);
  Results<T> r{unwritten<T>(s.rows * s.out), unwritten<T>(s.rows * s.in), unwritten<float>(s.out * s.in),
               unwritten<float>(s.out)};
  linear_forward(device, s, x.data(), w.data(), bias.data(), r.y.data());
  linear_backward_data(device, s, dy.data(), w.data(), r.dx.data());
  linear_backward_weights(device, s, x.data(), dy.data(), r.dw.data(), r.dbias.data());
  return r;
}

template <class T>
void expect_parity(const LinearShape& s) {
  SCOPED_TRACE(fmt::format("rows {} in {} out {}", s.rows, s.in, s.out));
  const auto want = run<T>(Reference{}, s);
  const auto got = run<T>(Cpu{}, s);
  expect_close(want.y, got.y, s.in + 1, "y");
  expect_close(want.dx, got.dx, s.out, "dx");
  expect_close(want.dw, got.dw, s.rows, "dw");
  expect_close(want.dbias, got.dbias, s.rows, "dbias");
}

TEST(CpuLinear, EqualsReference) {
  for (const auto& shape : layers) expect_parity<float>(shape);
}
TEST(CpuLinear, EqualsReferenceInBfloat16) {
  for (const auto& shape : layers) expect_parity<bfloat16>(shape);
}

TEST(CpuLinear, SameBitsForAnyThreadCount) {
  for (const auto& shape : layers) {
    std::vector<Results<float>> all;
    testing::for_thread_counts([&](int) { all.push_back(run<float>(Cpu{}, shape)); });
    for (const auto& other : all) {
      EXPECT_TRUE(same_bits(all[0].y, other.y));
      EXPECT_TRUE(same_bits(all[0].dx, other.dx));
      EXPECT_TRUE(same_bits(all[0].dw, other.dw));
    }
  }
}

}  // namespace
}  // namespace roentgen::kernels

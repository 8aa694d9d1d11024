#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/blocks.h"
#include "kernels/random.h"
#include "tests/kernels/cpu_support.h"

namespace roentgen::kernels {
namespace {

using testing::expect_close;
using testing::random_values;
using testing::same_bits;
using testing::unwritten;
using testing::whole_values;

struct Case {
  Conv2dShape conv;
  std::int64_t pool;
  float rate;
};

const std::vector<Case> cases = {
    {{1, 1, 1, 1, 1, 1, 1}, 1, 0},
    {{1, 12, 14, 3, 32, 3, 3}, 2, 0.23f},
    {{2, 31, 13, 32, 64, 3, 3}, 2, 0.25f},                   // odd: a remainder at both borders
    {{11, 9, 9, 5, 7, 3, 3}, 2, 0.25f},                      // a last batch of 11
    {{1, 64, 70, 64, 128, 3, 3}, 2, 0.25f},                  // more than one band
    {{2, 131, 133, 3, 32, 3, 3}, 2, 0.5f},                   //
    {{2, 13, 11, 33, 15, 3, 3, 1, 1, 1, 1}, 3, 0.1f},        // same padding, windows of 3
    {{2, 14, 10, 8, 17, 3, 3, 1, 1, 1, 1}, 1, 0.3f},         // no pooling
    {{2, 14, 10, 8, 17, 5, 3, 1, 1, 2, 0}, 2, 0},            // no dropout
    {{1, 33, 31, 4, 20, 3, 3, 2, 2, 1, 1}, 2, 0.25f},        // stride
    {{1, 20, 21, 5, 16, 3, 2, 1, 1, 0, 2, 2, 3}, 4, 0.25f},  // dilation, windows of 4
    {{1, 5, 6, 2, 3, 2, 2, 1, 1, 3, 4}, 2, 0.25f},           // more padding than filter
};

std::string name(const Case& c) {
  return fmt::format("n {} h {} w {} c {} k {} r {} s {} pool {} rate {}", c.conv.n, c.conv.h, c.conv.w,
                     c.conv.c, c.conv.k, c.conv.r, c.conv.s, c.pool, c.rate);
}

template <class T>
struct Results {
  std::vector<T> y, y_without_mask, dx;
  std::vector<float> dfilters, dbias, first_dfilters;
};

// bfloat16 gets small whole numbers and a rate of 1/2, which make every step exact: the reference rounds
// between its steps, and a tie broken by rounding would send a gradient elsewhere.
template <class T, class Device>
Results<T> run(Device device, const Case& c) {
  const bool exact = std::is_same_v<T, bfloat16>;
  const ConvBlockShape s{
      c.conv, c.pool, exact && c.rate > 0 ? 0.5f : c.rate, {7, Purpose::dropout, 3, 9, nullptr}};
  const std::int64_t inputs = c.conv.n * c.conv.h * c.conv.w * c.conv.c;
  const std::int64_t outputs = c.conv.n * s.out_h() * s.out_w() * c.conv.k;
  const std::int64_t filters = c.conv.k * c.conv.r * c.conv.s * c.conv.c;
  const auto x = exact ? whole_values<T>(inputs, 1, 1) : random_values<T>(inputs, 1);
  const auto f = exact ? whole_values<T>(filters, 2, 1) : random_values<T>(filters, 2);
  const auto bias = exact ? whole_values<float>(c.conv.k, 3, 2) : random_values<float>(c.conv.k, 3);
  const auto dy = exact ? whole_values<T>(outputs, 4, 3) : random_values<T>(outputs, 4);
  std::vector<std::uint8_t> mask(static_cast<std::size_t>(conv_block_mask_bytes(device, s)));
  Results<T> r{unwritten<T>(outputs),     unwritten<T>(outputs),      unwritten<T>(inputs),
               unwritten<float>(filters), unwritten<float>(c.conv.k), unwritten<float>(filters)};
  conv_block_forward(device, s, x.data(), f.data(), bias.data(), r.y.data(), mask.data());
  conv_block_forward(device, s, x.data(), f.data(), bias.data(), r.y_without_mask.data(), nullptr);
  conv_block_backward(device, s, x.data(), f.data(), mask.data(), dy.data(), r.dx.data(), r.dfilters.data(),
                      r.dbias.data());
  conv_block_backward<T>(device, s, x.data(), f.data(), mask.data(), dy.data(), nullptr,
                         r.first_dfilters.data(), nullptr);
  return r;
}

template <class T>
void expect_parity(const Case& c) {
  SCOPED_TRACE(name(c));
  const auto want = run<T>(Reference{}, c);
  const std::int64_t terms = c.conv.r * c.conv.s * c.conv.c + 1,
                     pixels = c.conv.n * c.conv.out_h() * c.conv.out_w();
  testing::for_engines<T>([&](const char* engine) {
    SCOPED_TRACE(engine);
    const auto got = run<T>(Cpu{}, c);
    expect_close(want.y, got.y, terms, "y");
    expect_close(want.y_without_mask, got.y_without_mask, terms, "y without mask");
    expect_close(want.dx, got.dx, c.conv.r * c.conv.s * c.conv.k, "dx");
    expect_close(want.dfilters, got.dfilters, pixels, "dfilters");
    expect_close(want.dbias, got.dbias, pixels, "dbias");
    expect_close(want.first_dfilters, got.first_dfilters, pixels, "dfilters without dx");
  });
}

TEST(CpuConvBlock, EqualsReference) {
  for (const auto& c : cases) expect_parity<float>(c);
}

TEST(CpuConvBlock, EqualsReferenceInBfloat16) {
  for (const auto& c : cases) expect_parity<bfloat16>(c);
}

template <class T>
void expect_same_for_all_thread_counts() {
  for (const Case& c :
       {Case{{11, 40, 36, 16, 32, 3, 3, 1, 1, 1, 1}, 2, 0.25f}, Case{{1, 131, 130, 3, 32, 3, 3}, 2, 0.2f},
        Case{{2, 62, 62, 64, 128, 3, 3}, 2, 0.25f}}) {
    testing::for_engines<T>([&](const char* engine) {
      SCOPED_TRACE(engine + name(c));
      std::vector<Results<T>> all;
      testing::for_thread_counts([&](int) { all.push_back(run<T>(Cpu{}, c)); });
      for (const auto& other : all) {
        EXPECT_TRUE(same_bits(all[0].y, other.y));
        EXPECT_TRUE(same_bits(all[0].dx, other.dx));
        EXPECT_TRUE(same_bits(all[0].dfilters, other.dfilters));
        EXPECT_TRUE(same_bits(all[0].dbias, other.dbias));
        EXPECT_TRUE(same_bits(all[0].first_dfilters, other.first_dfilters));
      }
    });
  }
}

TEST(CpuConvBlock, SameBitsForAnyThreadCount) {
  expect_same_for_all_thread_counts<float>();
  expect_same_for_all_thread_counts<bfloat16>();
}

// A diverging network must be seen to diverge.
TEST(CpuConvBlock, NanComesThrough) {
  const ConvBlockShape s{{1, 6, 6, 1, 16, 3, 3}, 2, 0, {}};
  std::vector<float> x(36, 1), f(16 * 9, 0.1f), y(4 * 16);
  std::vector<std::uint8_t> mask(4 * 16);
  x[0] = std::numeric_limits<float>::quiet_NaN();
  conv_block_forward<float>(Cpu{}, s, x.data(), f.data(), nullptr, y.data(), mask.data());
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_FALSE(std::isnan(y.back()));
}

// A window larger than the image: no output, and gradients of nothing are zeros.
TEST(CpuConvBlock, NoWindowFits) {
  const ConvBlockShape s{{1, 6, 6, 1, 2, 3, 3}, 5, 0.25f, {}};
  const std::vector<float> x(36, 1), f(18, 1);
  auto dx = unwritten<float>(36), df = unwritten<float>(18), db = unwritten<float>(2);
  ASSERT_EQ(conv_block_mask_bytes(Cpu{}, s), 0);
  conv_block_forward<float>(Cpu{}, s, x.data(), f.data(), nullptr, nullptr, nullptr);
  conv_block_backward<float>(Cpu{}, s, x.data(), f.data(), nullptr, nullptr, dx.data(), df.data(), db.data());
  EXPECT_EQ(dx, std::vector<float>(36, 0));
  EXPECT_EQ(df, std::vector<float>(18, 0));
  EXPECT_EQ(db, std::vector<float>(2, 0));
}

struct LinearCase {
  LinearShape linear;
  float rate;
};
const std::vector<LinearCase> linear_cases = {{{1, 1, 1}, 0},         {{16, 1000, 64}, 0.4f},
                                              {{11, 2049, 7}, 0.25f}, {{3, 31, 13}, 0.5f},
                                              {{40, 17, 65}, 0},      {{0, 5, 4}, 0.1f}};

template <class T, class Device>
Results<T> run(Device device, const LinearCase& c) {
  const auto [rows, in, out] = c.linear;
  const LinearBlockShape s{c.linear, c.rate, {7, Purpose::dropout, 4, 2, nullptr}};
  const auto x = random_values<T>(rows * in, 1), w = random_values<T>(out * in, 2),
             dy = random_values<T>(rows * out, 4);
  const auto bias = random_values<float>(out, 3);
  Results<T> r{unwritten<T>(rows * out), {}, unwritten<T>(rows * in), unwritten<float>(out * in),
               unwritten<float>(out),    {}};
  linear_block_forward(device, s, x.data(), w.data(), bias.data(), r.y.data());
  linear_block_backward(device, s, x.data(), w.data(), r.y.data(), dy.data(), r.dx.data(), r.dfilters.data(),
                        r.dbias.data());
  return r;
}

TEST(CpuLinearBlock, EqualsReference) {
  for (const auto& c : linear_cases) {
    SCOPED_TRACE(fmt::format("rows {} in {} out {}", c.linear.rows, c.linear.in, c.linear.out));
    const auto want = run<float>(Reference{}, c), got = run<float>(Cpu{}, c);
    expect_close(want.y, got.y, c.linear.in + 1, "y");
    expect_close(want.dx, got.dx, c.linear.out, "dx");
    expect_close(want.dfilters, got.dfilters, c.linear.rows, "dw");
    expect_close(want.dbias, got.dbias, c.linear.rows, "dbias");
    const auto want16 = run<bfloat16>(Reference{}, c), got16 = run<bfloat16>(Cpu{}, c);
    expect_close(want16.y, got16.y, c.linear.in + 1, "y in bfloat16");
    expect_close(want16.dx, got16.dx, c.linear.out, "dx in bfloat16");
  }
}

TEST(CpuLinearBlock, SameBitsForAnyThreadCount) {
  std::vector<Results<float>> all;
  testing::for_thread_counts([&](int) { all.push_back(run<float>(Cpu{}, linear_cases[2])); });
  for (const auto& other : all) {
    EXPECT_TRUE(same_bits(all[0].y, other.y));
    EXPECT_TRUE(same_bits(all[0].dx, other.dx));
    EXPECT_TRUE(same_bits(all[0].dfilters, other.dfilters));
  }
}

}  // namespace
}  // namespace roentgen::kernels

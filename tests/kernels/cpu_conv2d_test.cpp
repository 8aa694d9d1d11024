#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "kernels/conv2d.h"
#include "kernels/cpu/native_bfloat16.h"
#include "tests/kernels/cpu_support.h"

namespace roentgen::kernels {
namespace {

using testing::expect_close;
using testing::random_values;
using testing::same_bits;
using testing::unwritten;

// n, h, w, c, k, r, s, stride h w, padding h w, dilation h w.
const std::vector<Conv2dShape> shapes = {
    {1, 1, 1, 1, 1, 1, 1},                       // nothing but one product
    {1, 7, 13, 3, 32, 3, 3},                     // the first layer's kind
    {2, 31, 7, 32, 64, 3, 3},                    //
    {11, 9, 9, 5, 7, 3, 3},                      // a last batch of 11
    {1, 64, 70, 64, 128, 3, 3},                  // more than one band
    {3, 130, 130, 3, 32, 3, 3},                  //
    {2, 13, 13, 16, 17, 1, 1},                   // 1x1, a tail of one filter
    {2, 13, 11, 33, 15, 3, 3, 1, 1, 1, 1},       // same padding
    {1, 12, 10, 8, 80, 5, 3, 1, 1, 2, 1},        // unequal filter, five vectors of filters
    {2, 15, 17, 4, 48, 3, 3, 2, 2},              // strides
    {2, 16, 14, 6, 20, 3, 3, 2, 3, 1, 1},        //
    {1, 16, 18, 5, 16, 3, 2, 1, 1, 0, 0, 2, 3},  // dilation
    {2, 17, 16, 7, 31, 3, 3, 2, 1, 2, 3, 2, 2},  // all of it
    {1, 5, 6, 2, 3, 2, 2, 1, 1, 3, 4},           // more padding than filter
    {1, 8, 8, 3, 4, 8, 8},                       // the filter is the image
    {1, 9, 9, 3, 4, 1, 1, 4, 4},                 // strides skip inputs
    {2, 7, 7, 300, 10, 3, 3, 1, 1, 1, 1},        // long sums
    {1, 3, 700, 8, 24, 2, 3},                    // a wide row
    {1, 10, 10, 180, 176, 3, 3},                 // filters of more than a megabyte
};

std::string name(const Conv2dShape& s) {
  return fmt::format("n {} h {} w {} c {} k {} r {} s {} stride {} {} pad {} {} dilation {} {}", s.n, s.h,
                     s.w, s.c, s.k, s.r, s.s, s.stride_h, s.stride_w, s.pad_h, s.pad_w, s.dilation_h,
                     s.dilation_w);
}

template <class T>
struct Results {
  std::vector<T> y, plain_y, dx;
  std::vector<float> dfilters, dbias, plain_dfilters;
};

template <class T, class Device>
Results<T> run(Device device, const Conv2dShape& s) {
  const std::int64_t outputs = s.n * s.out_h() * s.out_w() * s.k, filters = s.k * s.r * s.s * s.c;
  const auto x = random_values<T>(s.n * s.h * s.w * s.c, 1), f = random_values<T>(filters, 2);
  const auto bias = random_values<float>(s.k, 3);
  const auto dy = random_values<T>(outputs, 4);
  Results<T> r{unwritten<T>(outputs),     unwritten<T>(outputs), unwritten<T>(s.n * s.h * s.w * s.c),
               unwritten<float>(filters), unwritten<float>(s.k), unwritten<float>(filters)};
  conv2d_forward(device, s, x.data(), f.data(), bias.data(), r.y.data());
  conv2d_forward<T>(device, s, x.data(), f.data(), nullptr, r.plain_y.data());
  conv2d_backward_data(device, s, dy.data(), f.data(), r.dx.data());
  conv2d_backward_weights<T>(device, s, x.data(), dy.data(), r.dfilters.data(), r.dbias.data());
  conv2d_backward_weights<T>(device, s, x.data(), dy.data(), r.plain_dfilters.data(), nullptr);
  return r;
}

template <class T>
void expect_parity(const Conv2dShape& s) {
  SCOPED_TRACE(name(s));
  const auto want = run<T>(Reference{}, s);
  const std::int64_t pixels = s.n * s.out_h() * s.out_w();
  testing::for_engines<T>([&](const char* engine) {
    SCOPED_TRACE(engine);
    const auto got = run<T>(Cpu{}, s);
    expect_close(want.y, got.y, s.r * s.s * s.c + 1, "y");
    expect_close(want.plain_y, got.plain_y, s.r * s.s * s.c, "y without bias");
    expect_close(want.dx, got.dx, s.r * s.s * s.k, "dx");
    expect_close(want.dfilters, got.dfilters, pixels, "dfilters");
    expect_close(want.dbias, got.dbias, pixels, "dbias");
    expect_close(want.plain_dfilters, got.plain_dfilters, pixels, "dfilters without bias");
  });
}

TEST(CpuConv2d, EqualsReference) {
  for (const auto& shape : shapes) expect_parity<float>(shape);
}

TEST(CpuConv2d, EqualsReferenceInBfloat16) {
  for (const auto& shape : shapes) expect_parity<bfloat16>(shape);
}

TEST(CpuConv2d, EmptyBatch) {
  const Conv2dShape s{0, 8, 8, 3, 4, 3, 3};
  std::vector<float> filters(4 * 9 * 3, 1), dfilters = unwritten<float>(4 * 9 * 3),
                                            dbias = unwritten<float>(4);
  conv2d_forward<float>(Cpu{}, s, nullptr, filters.data(), nullptr, nullptr);
  conv2d_backward_data<float>(Cpu{}, s, nullptr, filters.data(), nullptr);
  conv2d_backward_weights<float>(Cpu{}, s, nullptr, nullptr, dfilters.data(), dbias.data());
  EXPECT_EQ(dfilters, std::vector<float>(dfilters.size(), 0));
  EXPECT_EQ(dbias, std::vector<float>(4, 0));
}

template <class T>
void expect_same_for_all_thread_counts() {
  for (const Conv2dShape& s :
       {Conv2dShape{11, 40, 36, 16, 32, 3, 3, 1, 1, 1, 1}, Conv2dShape{1, 130, 130, 3, 32, 3, 3}}) {
    testing::for_engines<T>([&](const char* engine) {
      SCOPED_TRACE(engine + name(s));
      std::vector<Results<T>> all;
      testing::for_thread_counts([&](int) { all.push_back(run<T>(Cpu{}, s)); });
      for (const auto& other : all) {
        EXPECT_TRUE(same_bits(all[0].y, other.y));
        EXPECT_TRUE(same_bits(all[0].dx, other.dx));
        EXPECT_TRUE(same_bits(all[0].dfilters, other.dfilters));
        EXPECT_TRUE(same_bits(all[0].dbias, other.dbias));
      }
    });
  }
}

TEST(CpuConv2d, SameBitsForAnyThreadCount) {
  expect_same_for_all_thread_counts<float>();
  expect_same_for_all_thread_counts<bfloat16>();
}

// The rest of the batch must not change an image's outputs.
TEST(CpuConv2d, ImagesAreIndependent) {
  const Conv2dShape three{3, 20, 20, 8, 16, 3, 3}, one{1, 20, 20, 8, 16, 3, 3};
  const auto x = random_values<float>(3 * 20 * 20 * 8, 1), f = random_values<float>(16 * 9 * 8, 2);
  const std::size_t size = 18 * 18 * 16;
  std::vector<float> all(3 * size), last(size);
  conv2d_forward<float>(Cpu{}, three, x.data(), f.data(), nullptr, all.data());
  conv2d_forward<float>(Cpu{}, one, x.data() + 2 * 20 * 20 * 8, f.data(), nullptr, last.data());
  EXPECT_TRUE(same_bits(last, {all.end() - static_cast<std::ptrdiff_t>(size), all.end()}));
}

// What lies behind a batch is not the caller's to give, and may be anything: NaN times a zero weight is NaN.
TEST(CpuConv2d, ReadsNothingBehindTheBatch) {
  for (const Conv2dShape& s : {Conv2dShape{2, 1, 16, 1, 4, 1, 1}, Conv2dShape{3, 3, 18, 3, 8, 3, 3}}) {
    const std::int64_t inputs = s.n * s.h * s.w * s.c, outputs = s.n * s.out_h() * s.out_w() * s.k;
    auto x = random_values<bfloat16>(inputs, 1);
    const auto f = random_values<bfloat16>(s.k * s.r * s.s * s.c, 2);
    testing::for_engines<bfloat16>([&](const char* engine) {
      SCOPED_TRACE(engine + name(s));
      auto alone = unwritten<bfloat16>(outputs), followed = unwritten<bfloat16>(outputs);
      x.resize(static_cast<std::size_t>(inputs) + 64);
      std::fill(x.begin() + inputs, x.end(), bfloat16(0.0f));
      conv2d_forward<bfloat16>(Cpu{}, s, x.data(), f.data(), nullptr, alone.data());
      std::fill(x.begin() + inputs, x.end(), bfloat16(std::numeric_limits<float>::quiet_NaN()));
      conv2d_forward<bfloat16>(Cpu{}, s, x.data(), f.data(), nullptr, followed.data());
      EXPECT_TRUE(same_bits(alone, followed));
    });
  }
}

// What the program tells its user must be what the kernels do.
TEST(CpuConv2d, NativeBfloat16MeansAnEngineForIt) {
  const Correlation layer{66, 32, 64, 64, 3, 3};
  EXPECT_EQ(native_bfloat16(), make_forward_engine<bfloat16>(layer, 16) != nullptr);
  EXPECT_EQ(native_bfloat16(), make_gradient_engine<bfloat16>(layer, 16) != nullptr);
}

}  // namespace
}  // namespace roentgen::kernels

#include "kernels/philox.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/cpu/dropout_mask.h"
#include "kernels/cpu/philox_lanes.h"

namespace roentgen::kernels {
namespace {

void expect_block(const Philox4& got, const Philox4& want) {
  EXPECT_EQ(got.x, want.x);
  EXPECT_EQ(got.y, want.y);
  EXPECT_EQ(got.z, want.z);
  EXPECT_EQ(got.w, want.w);
}

// The known answers that come with Random123, Salmon et al.'s own implementation.
TEST(Philox, KnownAnswers) {
  expect_block(philox4x32({0, 0, 0, 0}, 0), {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  const std::uint32_t ones = 0xffffffff;
  expect_block(philox4x32({ones, ones, ones, ones}, ~std::uint64_t{0}),
               {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  expect_block(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
               {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

// Where seed, purpose, stream, step and index go: worked out apart from this code.
TEST(Philox, KeyLayout) {
  const RandomKey key{.seed = 0x0123456789abcdef, .purpose = Purpose::dropout, .stream = 5, .step = 7};
  expect_block(random_block(key, 7, 3), {0x7bf3c95e, 0x9b1535fa, 0x04ec7158, 0xcebfb907});
  EXPECT_EQ(random_bits(key, 7, 12), 0x7bf3c95eu);
  EXPECT_EQ(random_bits(key, 7, 15), 0xcebfb907u);
}

TEST(Philox, StepCounterIsAdded) {
  const std::uint32_t counter = 40;
  const RandomKey key{.seed = 1, .step = 2, .counter = &counter};
  EXPECT_EQ(resolved_step(key), 42u);
}

TEST(Philox, UniformStaysBelowOne) {
  EXPECT_EQ(to_uniform(0), 0.0f);
  EXPECT_LT(to_uniform(0xffffffff), 1.0f);
  EXPECT_EQ(to_uniform(0x80000000), 0.5f);
}

// Vector code against the scalar definition, at every alignment and around every group size.
TEST(PhiloxLanes, EqualTheScalarDefinition) {
  const RandomKey key{.seed = 0xfedcba9876543210, .purpose = Purpose::dropout, .stream = 11, .step = 3};
  const std::uint32_t threshold = drop_threshold(0.3f);
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3},
                                    std::uint64_t{1001}, (std::uint64_t{1} << 34) - 9})
    for (const std::int64_t n : {0, 1, 2, 3, 4, 5, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1023}) {
      std::vector<std::uint32_t> bits(static_cast<std::size_t>(n) + 8, 77);
      std::vector<std::uint8_t> keep(static_cast<std::size_t>(n) + 8, 77);
      fill_random_bits(key, 3, first, n, bits.data());
      keep_mask(key, 3, first, n, threshold, keep.data());
      for (std::size_t i = 0; i < bits.size(); ++i) {
        const bool inside = static_cast<std::int64_t>(i) < n;
        const std::uint32_t want = random_bits(key, 3, first + i);
        ASSERT_EQ(bits[i], inside ? want : 77u) << "first " << first << ", n " << n << ", at " << i;
        ASSERT_EQ(keep[i], inside ? want >= threshold : 77)
            << "first " << first << ", n " << n << ", at " << i;
      }
    }
}

TEST(PhiloxLanes, MasksKeepTheRightShare) {
  const std::int64_t n = 1 << 20;
  std::vector<std::uint8_t> keep(static_cast<std::size_t>(n));
  for (const float rate : {0.0f, 0.23f, 0.5f, 0.9f}) {
    keep_mask({.seed = 9}, 0, 0, n, drop_threshold(rate), keep.data());
    double kept = 0;
    for (const std::uint8_t k : keep) kept += k;
    const double p = 1 - rate, deviation = std::sqrt(p * (1 - p) / static_cast<double>(n));
    EXPECT_NEAR(kept / static_cast<double>(n), p, 5 * deviation + 1e-9) << "rate " << rate;
  }
}

}  // namespace
}  // namespace roentgen::kernels

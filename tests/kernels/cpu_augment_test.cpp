#include <fmt/format.h>
#include <gtest/gtest.h>

#include <vector>

#include "kernels/augment.h"
#include "tests/kernels/cpu_support.h"

namespace roentgen::kernels {
namespace {

using testing::same_bits;
using testing::unwritten;

// Noise would turn the last bit of a coordinate into half a grey level; a picture is smooth.
std::vector<std::uint8_t> picture(const AugmentShape& s) {
  std::vector<std::uint8_t> pixels;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t r = 0; r < s.h; ++r)
      for (std::int64_t c = 0; c < s.w; ++c)
        for (std::int64_t j = 0; j < s.c; ++j)
          pixels.push_back(static_cast<std::uint8_t>(
              127.5 + 127.4 * std::sin(0.09 * static_cast<double>(r) + static_cast<double>(j)) *
                          std::cos(0.11 * static_cast<double>(c) + static_cast<double>(n))));
  return pixels;
}

std::vector<Affine> maps(const AugmentShape& s) {
  std::vector<Affine> all;
  for (std::int64_t n = 0; n < s.n; ++n)
    all.push_back(draw_affine({}, {5, Purpose::augment, 0, 2, nullptr}, n, s.h, s.w));
  return all;
}

const std::vector<AugmentShape> shapes = {{3, 256, 256, 3}, {2, 61, 67, 3}, {2, 64, 64, 1}, {1, 13, 130, 4},
                                          {1, 1, 1, 3},     {1, 1, 1, 1},   {2, 1, 9, 3},   {0, 8, 8, 3}};

template <class T>
void expect_parity(const AugmentShape& s, bool with_maps) {
  SCOPED_TRACE(fmt::format("n {} h {} w {} c {} maps {}", s.n, s.h, s.w, s.c, with_maps));
  const auto images = picture(s);
  const auto affine = maps(s);
  const Affine* given = with_maps ? affine.data() : nullptr;
  auto want = unwritten<T>(s.n * s.h * s.w * s.c), got = want;
  augment(Reference{}, s, images.data(), given, 1 / 255.0, want.data());
  augment(Cpu{}, s, images.data(), given, 1 / 255.0, got.data());
  const double level = 1 / 255.0;
  for (std::size_t i = 0; i < want.size(); ++i)
    ASSERT_NEAR(static_cast<double>(want[i]), static_cast<double>(got[i]), level) << i;
}

TEST(CpuAugment, WithinOneGreyLevelOfReference) {
  for (const auto& shape : shapes)
    for (const bool with_maps : {false, true}) {
      expect_parity<float>(shape, with_maps);
      expect_parity<bfloat16>(shape, with_maps);
    }
}

// Maps that leave the image on every side read its border.
TEST(CpuAugment, FarOutside) {
  const AugmentShape s{4, 20, 70, 3};
  const auto images = picture(s);
  std::vector<Affine> far = {{{1, 0, 1e6f}, {0, 1, 1e6f}, 0},
                             {{1, 0, -1e6f}, {0, 1, -1e6f}, 0},
                             {{1, 0, 1e30f}, {0, 1, -1e30f}, 1},
                             {{0, 0, 0}, {0, 0, 0}, 0}};
  auto want = unwritten<float>(s.n * s.h * s.w * s.c), got = want;
  augment(Reference{}, s, images.data(), far.data(), 1.0, want.data());
  augment(Cpu{}, s, images.data(), far.data(), 1.0, got.data());
  EXPECT_EQ(want, got);
}

TEST(CpuAugment, IdentityIsExact) {
  const AugmentShape s{1, 33, 65, 3};
  const auto images = picture(s);
  const Affine identity = keras_affine(0, 0, 0, 0, 1, 1, false, s.h, s.w);
  auto got = unwritten<float>(s.h * s.w * s.c);
  augment(Cpu{}, s, images.data(), &identity, 1.0, got.data());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], images[i]) << i;
}

TEST(CpuAugment, SameBitsForAnyThreadCount) {
  const AugmentShape s = shapes[0];
  const auto images = picture(s);
  const auto affine = maps(s);
  std::vector<std::vector<float>> all;
  testing::for_thread_counts([&](int) {
    all.push_back(unwritten<float>(s.n * s.h * s.w * s.c));
    augment(Cpu{}, s, images.data(), affine.data(), 1 / 255.0, all.back().data());
  });
  for (const auto& other : all) EXPECT_TRUE(same_bits(all[0], other));
}

}  // namespace
}  // namespace roentgen::kernels

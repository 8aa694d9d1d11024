// Against Pillow 13.0: Image.fromarray(pattern).resize((width, height), NEAREST or BILINEAR).
#include "tests/data/image_files.h"

namespace roentgen::data {
namespace {

Image pattern(int height, int width) {
  Image image{height, width, 3, {}, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.pixels.push_back(static_cast<std::uint8_t>(y * 7 + x * 13 + c * 29 + x * y % 11 * 5));
      }
    }
  }
  return image;
}

std::uint64_t fnv1a(const Bytes& bytes) {
  std::uint64_t hash = 14695981039346656037u;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 1099511628211u;
  return hash;
}

struct Case {
  int height, width, to_height, to_width;
  std::uint64_t nearest;     // FNV-1a of Pillow's bytes
  std::int64_t antialiased;  // sum of Pillow's bytes
};
const std::vector<Case> cases = {
    {13, 17, 5, 7, 2282925929000705640u, 14354},
    {64, 63, 100, 31, 3141997784984339117u, 1188828},
    {7, 5, 256, 250, 16440728779335421401u, 17637477},
    {640, 480, 101, 99, 8383246180819776722u, 3825325},
};

TEST(Resize, NearestIsPillowsBitForBit) {
  for (const Case& c : cases) {
    const Image result = resize(pattern(c.height, c.width), c.to_height, c.to_width, Resize::nearest);
    EXPECT_EQ(fnv1a(result.pixels), c.nearest) << c.height;
  }
}

// Pillow rounds to bytes between the two directions, ours does not: 1 level at most, and near 0 on average.
TEST(Resize, AntialiasedIsPillowsWithin1Level) {
  const Bytes shrunk = {93,  122, 151, 174, 173, 154, 126, 155, 169,
                        165, 138, 111, 147, 169, 176, 134, 116, 89};
  const Bytes grown = {0,  29, 58,  5,  34, 63,  13, 42, 71,  21, 50, 79,  26, 55,  84,  3,  32,  61,
                       8,  37, 66,  17, 46, 75,  26, 55, 84,  32, 61, 90,  7,  36,  65,  13, 42,  71,
                       24, 53, 82,  35, 64, 93,  42, 71, 100, 11, 40, 69,  19, 48,  77,  31, 60,  89,
                       44, 73, 102, 52, 81, 110, 14, 43, 72,  24, 53, 82,  38, 67,  96,  52, 81,  110,
                       61, 90, 119, 18, 47, 76,  29, 58, 87,  45, 74, 103, 61, 90,  119, 71, 100, 129,
                       21, 50, 79,  32, 61, 90,  49, 78, 107, 66, 95, 124, 77, 106, 135};
  const Image small = resize(pattern(13, 17), 3, 2, Resize::antialias);
  ASSERT_EQ(small.pixels.size(), shrunk.size());
  for (std::size_t i = 0; i < shrunk.size(); ++i) EXPECT_NEAR(small.pixels[i], shrunk[i], 1) << i;
  const Image large = resize(pattern(4, 3), 7, 5, Resize::antialias);
  ASSERT_EQ(large.pixels.size(), grown.size());
  for (std::size_t i = 0; i < grown.size(); ++i) EXPECT_NEAR(large.pixels[i], grown[i], 1) << i;
  for (const Case& c : cases) {
    const Image result = resize(pattern(c.height, c.width), c.to_height, c.to_width, Resize::antialias);
    std::int64_t sum = 0;
    for (const std::uint8_t value : result.pixels) sum += value;
    EXPECT_NEAR(static_cast<double>(sum - c.antialiased) / static_cast<double>(result.pixels.size()), 0, 0.05)
        << c.height;
  }
}

TEST(Resize, SameSizeIsACopyAndConstantsStay) {
  const Image image = pattern(9, 6);
  for (const Resize how : {Resize::nearest, Resize::antialias}) {
    EXPECT_EQ(resize(image, 9, 6, how).pixels, image.pixels);
    const Image flat{5, 4, 1, Bytes(20, 255), {}};
    EXPECT_EQ(resize(flat, 13, 3, how).pixels, Bytes(39, 255));
  }
}

TEST(Resize, LongestSidesNeedNoMemoryForBoth) {
  const Image tall = rough(20000, 1), wide = rough(1, 20000);
  EXPECT_EQ(resize(tall, 256, 256, Resize::antialias).pixels.size(), 256u * 256 * 3);
  EXPECT_EQ(resize(wide, 256, 256, Resize::antialias).pixels.size(), 256u * 256 * 3);
}

TEST(Resize, RefusesNonsense) {
  EXPECT_THROW(resize(pattern(2, 2), 0, 5, Resize::nearest), std::invalid_argument);
  EXPECT_THROW(resize(pattern(2, 2), 5, -1, Resize::antialias), std::invalid_argument);
  EXPECT_THROW(resize(Image{}, 5, 5, Resize::nearest), std::invalid_argument);
  Bytes small(11);
  EXPECT_THROW(resize(pattern(3, 3), 2, 2, Resize::nearest, small), std::invalid_argument);
}

}  // namespace
}  // namespace roentgen::data

// What decodes, and to which pixels.
#include <gmock/gmock.h>

#include "tests/data/image_files.h"

namespace roentgen::data {
namespace {

int largest_difference(const Image& a, const Image& b) {
  if (a.height != b.height || a.width != b.width || a.channels != b.channels) return 256;
  int largest = 0;
  for (std::size_t i = 0; i < a.pixels.size(); ++i)
    largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

Image rgb_of(const Image& image) {  // grey repeated, alpha dropped
  Image rgb{image.height, image.width, 3, {}, {}};
  for (std::size_t i = 0; i < image.pixels.size(); i += static_cast<std::size_t>(image.channels)) {
    for (std::size_t c = 0; c < 3; ++c) rgb.pixels.push_back(image.pixels[i + (image.channels < 3 ? 0 : c)]);
  }
  return rgb;
}

// JPEG loses up to 4 levels on a smooth picture at quality 95 (its DC quantiser is 2, chroma's 3).
constexpr int jpeg_loss = 4;

TEST(Decode, JpegOfAllKinds) {
  for (const bool progressive : {false, true}) {
    for (const bool full_chroma : {false, true}) {
      const JpegOptions options{.progressive = progressive, .full_chroma = full_chroma};
      const Image colour = ramp(37, 53);
      const Image decoded = decode_image(encode_jpeg(colour, options), "x");
      EXPECT_LE(largest_difference(decoded, colour), full_chroma ? jpeg_loss : 2 * jpeg_loss);
      EXPECT_EQ(decoded.source.format, ImageFormat::jpeg);
      EXPECT_EQ(decoded.source.channels, 3);
      const Image grey = ramp(37, 53, 1);
      const Image decoded_grey = decode_image(encode_jpeg(grey, options), "x");
      EXPECT_LE(largest_difference(decoded_grey, rgb_of(grey)), jpeg_loss);
      EXPECT_EQ(decoded_grey.source.channels, 1);
    }
  }
}

// Adobe's inverted CMYK, and YCCK, its form in luminance and chrominance: r = c * k / 255.
TEST(Decode, JpegCmykAndYcck) {
  const Image cmyk = ramp(24, 40, 4);
  Image expected{24, 40, 3, {}, {}};
  for (std::size_t i = 0; i < cmyk.pixels.size(); i += 4) {
    for (std::size_t c = 0; c < 3; ++c) {
      expected.pixels.push_back(static_cast<std::uint8_t>(cmyk.pixels[i + c] * cmyk.pixels[i + 3] / 255));
    }
  }
  for (const J_COLOR_SPACE stored : {JCS_CMYK, JCS_YCCK}) {
    const Image decoded = decode_image(encode_jpeg(cmyk, {.stored = stored}), "x");
    EXPECT_LE(largest_difference(decoded, expected), 2 * jpeg_loss)
        << stored;  // two factors with a loss each
    EXPECT_EQ(decoded.source.channels, 4);
  }
}

// The eight orientations by their definition: which stored corner is shown top left, and top right.
TEST(Decode, JpegIsTurnedAsExifSays) {
  const int height = 32, width = 48;
  Image stored{height, width, 1, Bytes(static_cast<std::size_t>(height * width), 60), {}};
  const auto paint = [&](int top, int left, std::uint8_t value) {
    for (int y = top; y < top + 16; ++y) {
      for (int x = left; x < left + 16; ++x) stored.pixels[static_cast<std::size_t>(y * width + x)] = value;
    }
  };
  paint(0, 0, 120), paint(0, width - 16, 160), paint(height - 16, 0, 200),
      paint(height - 16, width - 16, 240);
  struct Corners {
    int top_left, top_right, bottom_left;
  };
  const std::vector<Corners> expected = {{120, 160, 200}, {160, 120, 240}, {240, 200, 160}, {200, 240, 120},
                                         {120, 200, 160}, {200, 120, 240}, {240, 160, 200}, {160, 240, 120}};
  for (std::uint8_t orientation = 1; orientation <= 8; ++orientation) {
    for (const bool little_endian : {false, true}) {
      const Image shown =
          decode_image(encode_jpeg(stored, {.exif = exif_block(orientation, little_endian)}), "x");
      EXPECT_EQ(shown.height, orientation >= 5 ? width : height);
      EXPECT_EQ(shown.width, orientation >= 5 ? height : width);
      const auto at = [&](int y, int x) {
        return int{shown.pixels[static_cast<std::size_t>(3 * (y * shown.width + x))]};
      };
      const Corners& corners = expected[orientation - 1u];
      EXPECT_NEAR(at(4, 4), corners.top_left, jpeg_loss) << int{orientation};
      EXPECT_NEAR(at(4, shown.width - 5), corners.top_right, jpeg_loss) << int{orientation};
      EXPECT_NEAR(at(shown.height - 5, 4), corners.bottom_left, jpeg_loss) << int{orientation};
    }
  }
}

TEST(Decode, MalformedExifIsNoTurn) {
  const Image image = ramp(16, 24);
  const Bytes good = exif_block(6, true);
  for (std::size_t length = 1; length < good.size() - 4; ++length) {  // the value's 4 bytes may go
    EXPECT_EQ(decode_image(encode_jpeg(image, {.exif = prefix(good, length)}), "x").height, 16) << length;
  }
  for (const std::size_t at : {6u, 8u, 10u, 13u}) {
    Bytes wrong = good;
    wrong[at] = 0xFF;
    EXPECT_EQ(decode_image(encode_jpeg(image, {.exif = wrong}), "x").height, 16) << at;
  }
  EXPECT_EQ(decode_image(encode_jpeg(image, {.exif = exif_block(9, true)}), "x").height, 16);
}

TEST(Decode, PngOf8Bits) {
  for (const int channels : {1, 3, 4}) {
    const Image image = rough(19, 23, channels);
    const Image decoded = decode_image(encode_png(image), "x");
    EXPECT_EQ(largest_difference(decoded, rgb_of(image)), 0) << channels;
    EXPECT_EQ(decoded.source.channels, channels);
    EXPECT_EQ(decoded.source.format, ImageFormat::png);
  }
}

TEST(Decode, PngGreyWithAlpha) {
  const Image rgb = decode_image(
      encode_png(1, 3, {10, 0, 20, 128, 30, 255}, {.color_type = SPNG_COLOR_TYPE_GRAYSCALE_ALPHA}), "x");
  EXPECT_THAT(rgb.pixels, testing::ElementsAre(10, 10, 10, 20, 20, 20, 30, 30, 30));
}

TEST(Decode, PngOf16BitsKeepsTheUpper8) {
  for (const std::uint8_t type :
       {SPNG_COLOR_TYPE_GRAYSCALE, SPNG_COLOR_TYPE_TRUECOLOR, SPNG_COLOR_TYPE_TRUECOLOR_ALPHA}) {
    const int channels = type == SPNG_COLOR_TYPE_GRAYSCALE ? 1 : type == SPNG_COLOR_TYPE_TRUECOLOR ? 3 : 4;
    const Image upper = rough(9, 11, channels);
    Bytes samples;
    for (std::size_t i = 0; i < upper.pixels.size(); ++i) {
      const std::uint16_t value = static_cast<std::uint16_t>(upper.pixels[i] << 8 | (i * 37 & 0xFF));
      samples.push_back(reinterpret_cast<const std::uint8_t*>(&value)[0]);
      samples.push_back(reinterpret_cast<const std::uint8_t*>(&value)[1]);
    }
    const Image decoded =
        decode_image(encode_png(9, 11, samples, {.color_type = type, .bit_depth = 16}), "x");
    EXPECT_EQ(largest_difference(decoded, rgb_of(upper)), 0) << channels;
    EXPECT_EQ(decoded.source.bit_depth, 16);
  }
}

TEST(Decode, PngOfFewBits) {
  const auto grey = [](std::uint8_t depth, const Bytes& samples, int width) {
    const Image image = decode_image(
        encode_png(1, width, samples, {.color_type = SPNG_COLOR_TYPE_GRAYSCALE, .bit_depth = depth}), "x");
    Bytes first;
    for (std::size_t i = 0; i < image.pixels.size(); i += 3) first.push_back(image.pixels[i]);
    return first;
  };
  EXPECT_THAT(grey(1, {0b10110000}, 5), testing::ElementsAre(255, 0, 255, 255, 0));
  EXPECT_THAT(grey(2, {0b00011011}, 4), testing::ElementsAre(0, 85, 170, 255));
  EXPECT_THAT(grey(4, {0x0F, 0x50}, 3), testing::ElementsAre(0, 255, 85));
}

TEST(Decode, PngPalette) {
  const std::vector<spng_plte_entry> palette = {{1, 2, 3, 0}, {40, 50, 60, 0}, {200, 100, 0, 0}};
  const PngOptions two_bits{.color_type = SPNG_COLOR_TYPE_INDEXED, .bit_depth = 2, .palette = palette};
  EXPECT_THAT(decode_image(encode_png(1, 3, {0b10000100}, two_bits), "x").pixels,
              testing::ElementsAre(200, 100, 0, 1, 2, 3, 40, 50, 60));
  const PngOptions bytes{.color_type = SPNG_COLOR_TYPE_INDEXED, .palette = palette};
  EXPECT_THAT(decode_image(encode_png(2, 1, {1, 2}, bytes), "x").pixels,
              testing::ElementsAre(40, 50, 60, 200, 100, 0));
  // An index past the palette is black, as other decoders have it.
  EXPECT_THAT(decode_image(encode_png(2, 1, {1, 7}, bytes), "x").pixels,
              testing::ElementsAre(40, 50, 60, 0, 0, 0));
}

TEST(Decode, ExtremeShapes) {
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 20000}, {20000, 1}, {3, 8191}}) {
    const Image image = rough(height, width);
    EXPECT_EQ(largest_difference(decode_image(encode_png(image), "x"), image), 0);
    const Image smooth = ramp(height, width);
    const Image jpeg = decode_image(encode_jpeg(smooth), "x");
    EXPECT_EQ(jpeg.height, height);
    EXPECT_EQ(jpeg.width, width);
  }
}

TEST(Decode, ByContentNotByName) {
  const TempFolder folder;
  const Image image = rough(5, 6);
  write_bytes(folder / "really a png.jpg", encode_png(image));
  const Image decoded = decode_image(folder / "really a png.jpg");
  EXPECT_EQ(decoded.pixels, image.pixels);
  EXPECT_EQ(decoded.source.format, ImageFormat::png);
}

// A 24-bit BMP, bottom row first, rows padded to 4 bytes.
Bytes bmp_2x1(std::int32_t width = 2, std::int32_t height = 1) {
  Bytes bytes(54, 0);
  const auto put = [&](std::size_t at, std::int32_t value) {
    for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
  };
  bytes[0] = 'B', bytes[1] = 'M';
  put(2, 62), put(10, 54), put(14, 40), put(18, width), put(22, height), put(26, 1 | 24 << 16);
  for (const int value : {3, 2, 1, 6, 5, 4, 0, 0}) bytes.push_back(static_cast<std::uint8_t>(value));
  return bytes;
}

bool reads_bmp() {
  try {
    return decode_image(bmp_2x1(), "x").height == 1;
  } catch (const DataError& error) {
    return std::string_view(error.what()).find("stb_image was not found") == std::string_view::npos;
  }
}

TEST(Decode, BmpAndPnm) {
  if (!reads_bmp()) GTEST_SKIP() << "built without stb_image";
  EXPECT_THAT(decode_image(bmp_2x1(), "x").pixels, testing::ElementsAre(1, 2, 3, 4, 5, 6));
  const std::string_view pnm = "P5\n3 1\n255\n\x0A\x14\x1E";
  EXPECT_THAT(decode_image(Bytes(pnm.begin(), pnm.end()), "x").pixels,
              testing::ElementsAre(10, 10, 10, 20, 20, 20, 30, 30, 30));

  for (std::size_t length = 2; length < 62; ++length) {
    EXPECT_THROW(decode_image(prefix(bmp_2x1(), length), "x"), DataError) << length;
  }
  for (std::size_t length = 0; length < pnm.size(); ++length) {
    EXPECT_THROW(decode_image(Bytes(pnm.begin(), pnm.begin() + static_cast<std::ptrdiff_t>(length)), "x"),
                 DataError);
  }
  for (const auto& [width, height] :
       {std::pair{0, 1}, {2, 0}, {-2, 1}, {1 << 30, 1 << 30}, {60000, 60000}, {3, 1}}) {
    EXPECT_THROW(decode_image(bmp_2x1(width, height), "x"), DataError) << width << " " << height;
  }
  const std::string_view bomb = "P6\n60000 60000\n255\nabc";
  EXPECT_THAT(data_error([&] { decode_image(Bytes(bomb.begin(), bomb.end()), "x"); }),
              testing::HasSubstr("limit"));
}

TEST(WritePng, IsReadBack) {
  const TempFolder folder;
  for (const int channels : {1, 3}) {
    const Image image = rough(31, 17, channels);
    write_png(folder / "a.png", image);
    EXPECT_EQ(decode_image(folder / "a.png").pixels, rgb_of(image).pixels);
  }
}

TEST(WritePng, SaysWhyItCannot) {
  const TempFolder folder;
  try {
    write_png(folder / "none" / "a.png", rough(2, 2));
    FAIL();
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("a.png': No such file"));
  }
  EXPECT_THROW(write_png("/dev/full", rough(2, 2)), IoError);
  EXPECT_THROW(write_png(folder / "a.png", rough(2, 2, 2)), std::invalid_argument);
}

}  // namespace
}  // namespace roentgen::data

// What does not decode: one sentence with the file and the reason, and never a crash.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/data/image_files.h"

namespace roentgen::data {
namespace {

std::string refusal(const Bytes& bytes) {
  const std::string message = data_error([&] { decode_image(bytes, "folder/a b.img"); });
  EXPECT_THAT(message, testing::StartsWith("cannot use the image 'folder/a b.img': "));
  EXPECT_THAT(message, testing::Not(testing::HasSubstr("\n")));
  return message;
}

std::vector<Bytes> jpegs() {
  return {encode_jpeg(rough(20, 24)), encode_jpeg(rough(20, 24), {.progressive = true}),
          encode_jpeg(rough(17, 9, 1)), encode_jpeg(rough(16, 16, 4)),
          encode_jpeg(ramp(64, 64), {.full_chroma = false})};
}

std::vector<Bytes> pngs() {
  const Image colour = rough(12, 10), grey = rough(12, 10, 1);
  return {encode_png(colour),
          encode_png(grey),
          encode_png(12, 10, colour.pixels, {.interlaced = true}),
          encode_png(12, 10, grey.pixels, {.color_type = SPNG_COLOR_TYPE_GRAYSCALE, .interlaced = true}),
          encode_png(12, 5, grey.pixels, {.color_type = SPNG_COLOR_TYPE_GRAYSCALE, .bit_depth = 16}),
          encode_png(ramp(40, 40))};
}

TEST(BadImage, JpegCutAnywhere) {
  for (const Bytes& whole : jpegs()) {
    ASSERT_NO_THROW(decode_image(whole, "x"));
    for (std::size_t length = 3; length < whole.size(); ++length) {
      EXPECT_THROW(decode_image(prefix(whole, length), "x"), DataError) << length << " of " << whole.size();
    }
  }
}

TEST(BadImage, PngCutAnywhere) {
  for (const Bytes& whole : pngs()) {
    ASSERT_NO_THROW(decode_image(whole, "x"));
    for (std::size_t length = 0; length < whole.size(); ++length) {
      EXPECT_THROW(decode_image(prefix(whole, length), "x"), DataError) << length << " of " << whole.size();
    }
  }
}

// Checksums cover all of a PNG.
TEST(BadImage, PngWithAnyBitFlipped) {
  for (const Bytes& whole : pngs()) {
    for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
      Bytes flipped = whole;
      flipped[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
      EXPECT_THROW(decode_image(flipped, "x"), DataError) << bit;
    }
  }
}

// A JPEG has no checksum: a flip is found or changes pixels, but nothing worse.
TEST(BadImage, JpegWithAnyBitFlipped) {
  int refused = 0;
  for (const Bytes& whole : jpegs()) {
    for (std::size_t bit = 0; bit < 8 * whole.size(); bit += 3) {
      Bytes flipped = whole;
      flipped[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
      try {
        const Image image = decode_image(flipped, "x");
        EXPECT_EQ(image.pixels.size(),
                  static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width) * 3);
      } catch (const DataError&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(BadImage, JpegWithMoreAfterItsEndIsFine) {
  Bytes bytes = encode_jpeg(ramp(8, 8));
  bytes.insert(bytes.end(), 100, 0);
  EXPECT_NO_THROW(decode_image(bytes, "x"));
}

// The last of many bytes is missing: the picture would look right to a lenient decoder.
TEST(BadImage, LostTailIsSaid) {
  const Bytes jpeg = encode_jpeg(rough(64, 64));
  EXPECT_THAT(refusal(prefix(jpeg, jpeg.size() - 2)), testing::HasSubstr("Premature end of JPEG file"));
  const Bytes png = encode_png(rough(64, 64));
  EXPECT_THAT(refusal(prefix(png, png.size() - 12)), testing::HasSubstr("truncated"));
}

TEST(BadImage, ForeignContentIsNamed) {
  const auto text = [](std::string_view s) { return Bytes(s.begin(), s.end()); };
  EXPECT_THAT(refusal({}), testing::HasSubstr("it is empty"));
  EXPECT_THAT(refusal(text("hello")), testing::HasSubstr("no image"));
  EXPECT_THAT(refusal(text("BMW, a car maker")), testing::HasSubstr("no image"));
  EXPECT_THAT(refusal(text("MM of text")), testing::HasSubstr("no image"));
  EXPECT_THAT(refusal(text("GIF89a......")), testing::HasSubstr("GIF"));
  EXPECT_THAT(refusal(text("II*.........")), testing::HasSubstr("TIFF"));
  EXPECT_THAT(refusal(text("RIFF....WEBPVP8 ")), testing::HasSubstr("WebP"));
  Bytes dicom(128, 0);
  for (const char c : std::string_view("DICM")) dicom.push_back(static_cast<std::uint8_t>(c));
  EXPECT_THAT(refusal(dicom), testing::HasSubstr("DICOM"));
  EXPECT_THAT(refusal(prefix(dicom, 131)), testing::HasSubstr("no image"));
}

Bytes png_declaring(std::uint32_t width, std::uint32_t height, const Bytes& data) {
  Bytes header;
  append_big_endian(header, width);
  append_big_endian(header, height);
  for (const int value : {8, 2, 0, 0, 0}) header.push_back(static_cast<std::uint8_t>(value));
  Bytes bytes = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  append_png_chunk(bytes, "IHDR", header);
  append_png_chunk(bytes, "IDAT", data);
  append_png_chunk(bytes, "IEND", {});
  return bytes;
}

TEST(BadImage, PngBombs) {
  for (const auto& [width, height] :
       {std::pair{8193u, 8192u}, {65536u, 1u}, {1u, 65536u}, {65535u, 65535u}}) {
    EXPECT_THAT(refusal(png_declaring(width, height, {0x78, 0x9C, 0x03, 0x00})), testing::HasSubstr("limit"))
        << width;
  }
  EXPECT_THAT(refusal(png_declaring(8192, 8192, {0x78, 0x9C, 0x03, 0x00})), testing::HasSubstr("truncated"));
  EXPECT_THROW(decode_image(png_declaring(0, 5, {}), "x"), DataError);
  EXPECT_THROW(decode_image(png_declaring(0x7FFFFFFF, 0x7FFFFFFF, {}), "x"), DataError);
}

// The place of height and width in a JPEG: after the start of frame's marker, length and precision.
Bytes jpeg_declaring(std::uint16_t height, std::uint16_t width) {
  Bytes bytes = encode_jpeg(ramp(8, 8, 1));
  for (std::size_t i = 0; i + 9 < bytes.size(); ++i) {
    if (bytes[i] == 0xFF && bytes[i + 1] == 0xC0) {
      bytes[i + 5] = static_cast<std::uint8_t>(height >> 8), bytes[i + 6] = static_cast<std::uint8_t>(height);
      bytes[i + 7] = static_cast<std::uint8_t>(width >> 8), bytes[i + 8] = static_cast<std::uint8_t>(width);
      return bytes;
    }
  }
  ADD_FAILURE() << "no start of frame";
  return bytes;
}

TEST(BadImage, JpegBombs) {
  EXPECT_THAT(refusal(jpeg_declaring(65000, 65000)), testing::HasSubstr("limit"));
  EXPECT_THAT(refusal(jpeg_declaring(8193, 8192)), testing::HasSubstr("limit"));
  EXPECT_THAT(refusal(jpeg_declaring(0, 8)), testing::HasSubstr("JPEG"));
  EXPECT_THAT(refusal(jpeg_declaring(8, 0)), testing::HasSubstr("JPEG"));
  EXPECT_THAT(refusal(jpeg_declaring(800, 800)), testing::HasSubstr("JPEG"));  // more than its data holds
}

// One scan per component is legal, and so is any number of further ones: a decoder works for as long as they
// come.
TEST(BadImage, JpegWithTooManyScans) {
  const Bytes whole = encode_jpeg(ramp(16, 16), {.scan_per_component = true});
  ASSERT_NO_THROW(decode_image(whole, "x"));
  std::vector<std::ptrdiff_t> scans;
  for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
    if (whole[i] == 0xFF && whole[i + 1] == 0xDA) scans.push_back(static_cast<std::ptrdiff_t>(i));
  }
  ASSERT_EQ(scans.size(), 3u);
  Bytes many(whole.begin(), whole.begin() + scans[2]);
  for (int i = 0; i < 5000; ++i) {
    std::copy(whole.begin() + scans[2], whole.end() - 2, std::back_inserter(many));  // without the end marker
  }
  many.push_back(0xFF);
  many.push_back(0xD9);
  EXPECT_THAT(refusal(many), testing::HasSubstr("more than 64 scans"));
}

TEST(BadImage, FilesThatAreNone) {
  const TempFolder folder;
  EXPECT_THAT(data_error([&] { decode_image(folder / "none.png"); }),
              testing::HasSubstr("none.png': No such file"));
  EXPECT_THAT(data_error([&] { decode_image(folder.path()); }), testing::HasSubstr("no regular file"));
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(data_error([&] { decode_image(folder / "pipe"); }), testing::HasSubstr("no regular file"));
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_THAT(data_error([&] { decode_image(folder / "loop"); }), testing::HasSubstr("loop"));
  write_bytes(folder / "new\nline'.png", {1, 2, 3});
  EXPECT_THAT(data_error([&] { decode_image(folder / "new\nline'.png"); }),
              testing::HasSubstr("new\\x0aline\\'.png"));
}

}  // namespace
}  // namespace roentgen::data

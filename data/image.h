// Images in memory: decoding, resizing, writing. Layout [height, width, channels], rows from the top.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace roentgen::data {

// Limits of a decoded image. More is refused before any pixel is allocated.
inline constexpr std::int64_t max_pixels = std::int64_t{64} << 20;
inline constexpr std::int64_t max_side = 65535;

enum class ImageFormat { unknown, jpeg, png, bmp, pnm };
std::string_view to_string(ImageFormat format);

// What the file held before it became 8-bit RGB: sizes before the EXIF turn, channels 1 to 4, bits per
// channel.
struct ImageSource {
  int height = 0, width = 0, channels = 0, bit_depth = 8;
  ImageFormat format = ImageFormat::unknown;
};

struct Image {
  int height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;  // [height, width, channels]
  ImageSource source = {};           // of a decoded image
};

// The format by the first bytes; the file's name has no say.
ImageFormat sniff_format(std::span<const std::uint8_t> bytes);

// Decodes JPEG, PNG and, in builds with stb_image, BMP and binary PNM to 8-bit RGB (3 channels). Grey is
// repeated, CMYK and YCCK are converted as Pillow does, 16 bits keep the upper 8, a JPEG's EXIF orientation
// is applied, alpha is dropped (as Keras' load_img does). Any warning of the decoder, a wrong checksum or a
// missing end is an error. Throws DataError: one sentence with `name` (or the path) and the reason.
Image decode_image(std::span<const std::uint8_t> bytes, std::string_view name);
Image decode_image(const std::filesystem::path& path);

enum class Resize {
  nearest,  // bit for bit Pillow's NEAREST, which Keras' load_img uses: source pixel floor((i + 0.5) * scale)
  antialias,  // Pillow's BILINEAR within 1 grey level: triangle filter, widened by the scale when shrinking
};
std::string_view to_string(Resize resize);

// image[h, w, c] to [height, width, c]. Throws std::invalid_argument for an empty image or size.
Image resize(const Image& image, int height, int width, Resize how);
// The same into `out`, height * width * channels bytes.
void resize(const Image& image, int height, int width, Resize how, std::span<std::uint8_t> out);

// Writes an 8-bit PNG, grey for 1 channel, RGB for 3. Throws IoError naming the file and the reason.
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace roentgen::data

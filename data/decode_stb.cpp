// BMP and binary PNM through stb_image, which reads zeros past the end and knows no limits: both are checked
// here.
#include "data/decode.h"

#if defined(ROENTGEN_HAS_STB)

#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_BMP
#define STBI_ONLY_PNM
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#include <fmt/core.h>
#include <stb_image.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <string>

namespace roentgen::data {
namespace {

std::int64_t little_endian(std::span<const std::uint8_t> bytes, std::size_t at, std::size_t length) {
  std::int64_t value = 0;
  for (std::size_t i = length; i-- > 0;) value = value << 8 | bytes[at + i];
  return value;
}

// The fewest bytes that a file with this header has.
std::int64_t bmp_bytes(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < 30) throw BadImage("the BMP is truncated");
  const bool old = little_endian(bytes, 14, 4) == 12;  // OS/2 header
  const std::int64_t width = little_endian(bytes, 18, old ? 2 : 4);
  const auto signed_height = static_cast<std::int32_t>(little_endian(bytes, old ? 20 : 22, old ? 2 : 4));
  const std::int64_t height = signed_height < 0 ? -std::int64_t{signed_height} : signed_height;
  const std::int64_t bits = little_endian(bytes, old ? 24 : 28, 2);
  check_size(height, width);
  return little_endian(bytes, 10, 4) + (width * bits + 31) / 32 * 4 * height;
}

// Where a PNM's pixels begin: after three numbers, set apart by spaces and comments, and one space.
std::int64_t pnm_header_bytes(std::span<const std::uint8_t> bytes) {
  std::size_t at = 2;
  for (int number = 0; number < 3; ++number) {
    while (at < bytes.size() && !std::isdigit(bytes[at])) {
      if (bytes[at] == '#')
        at = static_cast<std::size_t>(std::find(bytes.begin() + at, bytes.end(), '\n') - bytes.begin());
      ++at;
    }
    while (at < bytes.size() && std::isdigit(bytes[at])) ++at;
  }
  return static_cast<std::int64_t>(at) + 1;
}

}  // namespace

Image decode_stb(std::span<const std::uint8_t> bytes, ImageFormat format) {
  int width = 0, height = 0, channels = 0;
  const auto length = static_cast<int>(bytes.size());  // read_file's limit is below 2^31
  const std::int64_t bmp_needs = format == ImageFormat::bmp ? bmp_bytes(bytes) : 0;
  if (!stbi_info_from_memory(bytes.data(), length, &width, &height, &channels)) {
    throw BadImage(fmt::format("the {} is damaged ({})", to_string(format), stbi_failure_reason()));
  }
  check_size(height, width);
  const bool deep = stbi_is_16_bit_from_memory(bytes.data(), length);
  const std::int64_t pnm_needs =
      pnm_header_bytes(bytes) + std::int64_t{width} * height * channels * (deep ? 2 : 1);
  if (length < (format == ImageFormat::bmp ? bmp_needs : pnm_needs)) {
    throw BadImage(fmt::format("the {} is truncated", to_string(format)));
  }
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> pixels(
      stbi_load_from_memory(bytes.data(), length, &width, &height, &channels, 3), stbi_image_free);
  if (!pixels)
    throw BadImage(fmt::format("the {} is damaged ({})", to_string(format), stbi_failure_reason()));
  Image image{height, width, 3, {}, {height, width, channels, deep ? 16 : 8, format}};
  image.pixels.assign(pixels.get(), pixels.get() + std::int64_t{height} * width * 3);
  return image;
}

}  // namespace roentgen::data

#else

#include <string>

namespace roentgen::data {

Image decode_stb(std::span<const std::uint8_t>, ImageFormat format) {
  throw BadImage(std::string("it is a ") + std::string(to_string(format)) +
                 ", which this build does not read (stb_image was not found); convert it to PNG");
}

}  // namespace roentgen::data

#endif

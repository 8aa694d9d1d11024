// The decoders behind decode_image, one per format. Each returns 8-bit RGB with `source` filled in, EXIF
// applied, or throws BadImage with the reason, which decode_image puts into a sentence with the file's name.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string_view>

#include "data/image.h"

namespace roentgen::data {

struct BadImage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Image decode_jpeg(std::span<const std::uint8_t> bytes);
Image decode_png(std::span<const std::uint8_t> bytes);
Image decode_stb(std::span<const std::uint8_t> bytes, ImageFormat format);

// Says what a file of unknown format is, where its first bytes tell.
std::string_view what_it_is(std::span<const std::uint8_t> bytes);

// Throws BadImage unless 1 <= sides <= max_side and the area is at most max_pixels.
void check_size(std::int64_t height, std::int64_t width);

// The EXIF orientation (1 to 8) in a JPEG's APP1 payload; 1 where it has none or is malformed.
int exif_orientation(std::span<const std::uint8_t> payload);
// `image` as EXIF orientation `orientation` wants it shown.
Image turned(Image image, int orientation);

}  // namespace roentgen::data

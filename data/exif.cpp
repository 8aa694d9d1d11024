// EXIF orientation: JEITA CP-3451, tag 0x0112 of the first directory of a TIFF block.
#include <algorithm>
#include <array>
#include <utility>

#include "data/decode.h"

namespace roentgen::data {

int exif_orientation(std::span<const std::uint8_t> payload) {
  constexpr std::array<std::uint8_t, 6> signature = {'E', 'x', 'i', 'f', 0, 0};
  if (payload.size() < 14 || !std::equal(signature.begin(), signature.end(), payload.begin())) return 1;
  const auto tiff = payload.subspan(signature.size());
  const bool little = tiff[0] == 'I' && tiff[1] == 'I';
  if (!little && !(tiff[0] == 'M' && tiff[1] == 'M')) return 1;

  const auto read = [&](std::size_t at, std::size_t length) {  // within the block: callers have checked
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < length; ++i) value = value << 8 | tiff[at + (little ? length - 1 - i : i)];
    return value;
  };
  const std::size_t directory = read(4, 4);
  if (read(2, 2) != 42 || directory > tiff.size() - 2) return 1;
  const std::size_t entries = read(directory, 2);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.size()) return 1;
    if (read(entry, 2) == 0x0112) {
      const std::uint32_t value = read(entry + 8, 2);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  }
  return 1;
}

Image turned(Image image, int orientation) {
  if (orientation == 1) return image;
  const bool transpose = orientation >= 5;
  Image result{transpose ? image.width : image.height,
               transpose ? image.height : image.width,
               image.channels,
               {},
               image.source};
  result.pixels.resize(image.pixels.size());
  const auto channels = static_cast<std::ptrdiff_t>(image.channels);
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x) {
      // Rows run upwards in 3, 4 and, seen in the stored image, 6 and 7; columns backwards in 2, 3, 7 and 8.
      int from_y = transpose ? x : y, from_x = transpose ? y : x;
      if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) {
        from_y = image.height - 1 - from_y;
      }
      if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) {
        from_x = image.width - 1 - from_x;
      }
      const auto from = image.pixels.begin() + (std::ptrdiff_t{from_y} * image.width + from_x) * channels;
      std::copy_n(from, channels, result.pixels.begin() + (std::ptrdiff_t{y} * result.width + x) * channels);
    }
  }
  return result;
}

}  // namespace roentgen::data

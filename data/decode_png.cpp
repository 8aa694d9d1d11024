#include <fmt/core.h>
#include <spng.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>

#include "data/decode.h"

namespace roentgen::data {
namespace {

void check(int error) {
  if (error == SPNG_IO_EOF) throw BadImage("the PNG is truncated");
  if (error) throw BadImage(fmt::format("the PNG is damaged ({})", spng_strerror(error)));
}

int channels_of(std::uint8_t color_type) {
  switch (color_type) {
    case SPNG_COLOR_TYPE_GRAYSCALE:
      return 1;
    case SPNG_COLOR_TYPE_GRAYSCALE_ALPHA:
      return 2;
    case SPNG_COLOR_TYPE_TRUECOLOR_ALPHA:
      return 4;
    default:
      return 3;
  }
}

// libspng stops at the last chunk's name; a file that ends there or goes on otherwise is damaged too. The
// chunks up to it were found in order.
bool ends_well(std::span<const std::uint8_t> bytes) {
  constexpr std::array<std::uint8_t, 12> last = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82};
  for (std::size_t at = 8; at + last.size() <= bytes.size();) {
    const auto chunk = bytes.subspan(at, last.size());
    if (std::equal(last.begin(), last.end(), chunk.begin())) return true;
    at += 12 +
          (std::size_t{chunk[0]} << 24 | std::size_t{chunk[1]} << 16 | std::size_t{chunk[2]} << 8 | chunk[3]);
  }
  return false;
}

}  // namespace

Image decode_png(std::span<const std::uint8_t> bytes) {
  const std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> png(spng_ctx_new(0), spng_ctx_free);
  if (!png) throw std::bad_alloc();
  check(spng_set_crc_action(png.get(), SPNG_CRC_ERROR, SPNG_CRC_ERROR));
  // Text and colour profiles are held in memory and of no use here.
  check(spng_set_chunk_limits(png.get(), 64u << 20, 64u << 20));
  check(spng_set_png_buffer(png.get(), bytes.data(), bytes.size()));
  spng_ihdr header = {};
  check(spng_get_ihdr(png.get(), &header));
  check_size(header.height, header.width);

  Image image{static_cast<int>(header.height), static_cast<int>(header.width), 3, {}, {}};
  image.source = {image.height, image.width, channels_of(header.color_type), header.bit_depth,
                  ImageFormat::png};
  // Deflate packs at most 1032 to 1, so fewer bytes cannot hold the pixels, which are then not worth
  // allocating.
  const std::int64_t bits = std::int64_t{image.height} * image.width * header.bit_depth *
                            (header.color_type == SPNG_COLOR_TYPE_INDEXED ? 1 : image.source.channels);
  if (bits / 8 > 1032 * static_cast<std::int64_t>(bytes.size())) throw BadImage("the PNG is truncated");
  image.pixels.resize(static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width) * 3);
  check(spng_decode_image(png.get(), image.pixels.data(), image.pixels.size(), SPNG_FMT_RGB8, 0));
  check(spng_decode_chunks(png.get()));  // to the end marker
  if (!ends_well(bytes)) throw BadImage("the PNG is truncated");
  return image;
}

}  // namespace roentgen::data

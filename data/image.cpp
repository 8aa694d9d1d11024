#include "data/image.h"

#include <fmt/core.h>
#include <spng.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>

#include "data/decode.h"
#include "data/error.h"
#include "data/file.h"

namespace roentgen::data {
namespace {

bool has_at(std::span<const std::uint8_t> bytes, std::size_t at, std::string_view text) {
  return bytes.size() >= at + text.size() &&
         std::equal(text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    [](char c, std::uint8_t b) { return static_cast<std::uint8_t>(c) == b; });
}

}  // namespace

std::string_view what_it_is(std::span<const std::uint8_t> bytes) {
  if (bytes.empty()) return "it is empty";
  if (has_at(bytes, 128, "DICM")) {
    return "it is a DICOM file, which this build does not read; export it as PNG (dcm2pnm and dcmj2pnm do)";
  }
  if (has_at(bytes, 0, "GIF8")) return "it is a GIF; convert it to PNG";
  if (has_at(bytes, 0, "II*") || has_at(bytes, 0, std::string_view("MM\0*", 4)))
    return "it is a TIFF; convert it to PNG";
  if (has_at(bytes, 0, "RIFF") && has_at(bytes, 8, "WEBP")) return "it is a WebP image; convert it to PNG";
  if (has_at(bytes, 4, "ftyp")) return "it is a HEIF, AVIF or video file; convert it to PNG";
  return "it is no image (neither JPEG, PNG, BMP nor PNM by its first bytes)";
}

namespace {

Image decode(std::span<const std::uint8_t> bytes) {
  switch (const ImageFormat format = sniff_format(bytes)) {
    case ImageFormat::jpeg:
      return decode_jpeg(bytes);
    case ImageFormat::png:
      return decode_png(bytes);
    case ImageFormat::bmp:
    case ImageFormat::pnm:
      return decode_stb(bytes, format);
    case ImageFormat::unknown:
      break;
  }
  throw BadImage(std::string(what_it_is(bytes)));
}

}  // namespace

std::string_view to_string(ImageFormat format) {
  switch (format) {
    case ImageFormat::jpeg:
      return "JPEG";
    case ImageFormat::png:
      return "PNG";
    case ImageFormat::bmp:
      return "BMP";
    case ImageFormat::pnm:
      return "PNM";
    case ImageFormat::unknown:
      break;
  }
  return "unknown";
}

ImageFormat sniff_format(std::span<const std::uint8_t> bytes) {
  if (has_at(bytes, 0, "\xFF\xD8\xFF")) return ImageFormat::jpeg;
  if (has_at(bytes, 0, "\x89PNG\r\n\x1A\n")) return ImageFormat::png;
  // A BMP's reserved words are 0 in practice, and "BM" alone would take in text files.
  if (has_at(bytes, 0, "BM") && has_at(bytes, 6, std::string_view("\0\0\0\0", 4))) return ImageFormat::bmp;
  if (bytes.size() > 2 && bytes[0] == 'P' && (bytes[1] == '5' || bytes[1] == '6') &&
      (bytes[2] == '\n' || bytes[2] == ' ' || bytes[2] == '\r' || bytes[2] == '\t')) {
    return ImageFormat::pnm;
  }
  return ImageFormat::unknown;
}

void check_size(std::int64_t height, std::int64_t width) {
  if (height < 1 || width < 1) throw BadImage("it has no pixels");
  if (height > max_side || width > max_side || height * width > max_pixels) {
    throw BadImage(fmt::format("it declares {} x {} pixels; the limit is {} megapixels and {} a side", width,
                               height, max_pixels >> 20, max_side));
  }
}

Image decode_image(std::span<const std::uint8_t> bytes, std::string_view name) {
  try {
    return decode(bytes);
  } catch (const BadImage& bad) {
    throw DataError(fmt::format("cannot use the image '{}': {}", printable(name), bad.what()));
  }
}

Image decode_image(const std::filesystem::path& path) {
  return decode_image(read_file(path), path.native());
}

void write_png(const std::filesystem::path& path, const Image& image) {
  const auto size = static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width) *
                    static_cast<std::size_t>(image.channels);
  if (image.height < 1 || image.width < 1 || (image.channels != 1 && image.channels != 3) ||
      image.pixels.size() != size) {
    throw std::invalid_argument(fmt::format("write_png: [{}, {}, {}] with {} bytes", image.height,
                                            image.width, image.channels, image.pixels.size()));
  }
  const std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> png(spng_ctx_new(SPNG_CTX_ENCODER),
                                                                spng_ctx_free);
  spng_ihdr header = {};
  header.width = static_cast<std::uint32_t>(image.width);
  header.height = static_cast<std::uint32_t>(image.height);
  header.bit_depth = 8;
  header.color_type = image.channels == 1 ? SPNG_COLOR_TYPE_GRAYSCALE : SPNG_COLOR_TYPE_TRUECOLOR;
  int error = png ? spng_set_option(png.get(), SPNG_ENCODE_TO_BUFFER, 1) : static_cast<int>(SPNG_EMEM);
  if (!error) error = spng_set_ihdr(png.get(), &header);
  if (!error) {
    error = spng_encode_image(png.get(), image.pixels.data(), size, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
  }
  std::size_t length = 0;
  void* encoded = error ? nullptr : spng_get_png_buffer(png.get(), &length, &error);
  if (!encoded) throw IoError(fmt::format("cannot write '{}': {}", printable(path), spng_strerror(error)));
  const std::unique_ptr<void, decltype(&std::free)> owner(encoded, std::free);
  write_file(path, {static_cast<const std::uint8_t*>(encoded), length});
}

}  // namespace roentgen::data

// Image files made in memory, good ones and the parts of bad ones, and a folder that cleans up after itself.
#pragma once

#include <gtest/gtest.h>
#include <spng.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <jpeglib.h>  // after cstdio, which it needs

#include "data/error.h"
#include "data/image.h"

namespace roentgen::data {

using Bytes = std::vector<std::uint8_t>;

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "roentgen-test-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline Bytes prefix(const Bytes& bytes, std::size_t length) {
  return Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
}

inline void write_bytes(const std::filesystem::path& path, const Bytes& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.good()) << path;
}

// A smooth picture in which every pixel and channel differs from its neighbours; survives JPEG within a few
// levels.
inline Image ramp(int height, int width, int channels = 3) {
  Image image{height, width, channels, {}, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        image.pixels.push_back(static_cast<std::uint8_t>(20 + 200 * y / height + (20 + 10 * c) * x / width));
      }
    }
  }
  return image;
}

// Stripes of hash-like values: compresses badly, so that files have many bytes to damage.
inline Image rough(int height, int width, int channels = 3) {
  Image image{height, width, channels, {}, {}};
  std::uint32_t state = 1;
  for (int i = 0; i < height * width * channels; ++i) {
    state = state * 1664525u + 1013904223u;
    image.pixels.push_back(static_cast<std::uint8_t>(state >> 24));
  }
  return image;
}

struct JpegOptions {
  int quality = 95;
  bool progressive = false;
  bool full_chroma = true;  // no chroma subsampling
  bool scan_per_component = false;
  J_COLOR_SPACE stored = JCS_UNKNOWN;  // unknown: libjpeg's choice
  Bytes exif = {};                     // payload of APP1
};

// `image` with 1 (grey), 3 (RGB) or 4 (CMYK, as stored) channels.
inline Bytes encode_jpeg(const Image& image, const JpegOptions& options = {}) {
  jpeg_compress_struct jpeg = {};
  jpeg_error_mgr errors = {};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* buffer = nullptr;
  unsigned long length = 0;
  jpeg_mem_dest(&jpeg, &buffer, &length);
  jpeg.image_height = static_cast<JDIMENSION>(image.height);
  jpeg.image_width = static_cast<JDIMENSION>(image.width);
  jpeg.input_components = image.channels;
  jpeg.in_color_space = image.channels == 1 ? JCS_GRAYSCALE : image.channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, options.quality, TRUE);
  if (options.stored != JCS_UNKNOWN) jpeg_set_colorspace(&jpeg, options.stored);
  if (options.full_chroma) {
    for (int i = 0; i < jpeg.num_components; ++i)
      jpeg.comp_info[i].h_samp_factor = jpeg.comp_info[i].v_samp_factor = 1;
  }
  if (options.progressive) jpeg_simple_progression(&jpeg);
  jpeg_scan_info scans[3] = {{1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}};
  if (options.scan_per_component) jpeg.scan_info = scans, jpeg.num_scans = 3;
  jpeg_start_compress(&jpeg, TRUE);
  if (!options.exif.empty()) {
    jpeg_write_marker(&jpeg, JPEG_APP0 + 1, options.exif.data(), static_cast<unsigned>(options.exif.size()));
  }
  Bytes pixels = image.pixels;
  for (JDIMENSION y = 0; y < jpeg.image_height; ++y) {
    JSAMPROW row =
        pixels.data() + std::size_t{y} * jpeg.image_width * static_cast<std::size_t>(image.channels);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  Bytes bytes(buffer, buffer + length);
  std::free(buffer);
  return bytes;
}

// An EXIF block with an orientation only.
inline Bytes exif_block(std::uint8_t orientation, bool little_endian) {
  Bytes block = {'E', 'x', 'i', 'f', 0, 0};
  const Bytes tiff = little_endian ? Bytes{'I', 'I', 42, 0, 8, 0,           0, 0, 1, 0, 0x12, 1, 3,
                                           0,   1,   0,  0, 0, orientation, 0, 0, 0, 0, 0,    0, 0}
                                   : Bytes{'M', 'M', 0, 42, 0, 0, 0,           8, 0, 1, 1, 0x12, 0,
                                           3,   0,   0, 0,  1, 0, orientation, 0, 0, 0, 0, 0,    0};
  block.insert(block.end(), tiff.begin(), tiff.end());
  return block;
}

struct PngOptions {
  std::uint8_t color_type = SPNG_COLOR_TYPE_TRUECOLOR;
  std::uint8_t bit_depth = 8;
  bool interlaced = false;
  std::vector<spng_plte_entry> palette = {};
};

// `samples` as PNG stores them: rows packed to bytes, 16 bits in the machine's byte order.
inline Bytes encode_png(int height, int width, const Bytes& samples, const PngOptions& options = {}) {
  spng_ctx* png = spng_ctx_new(SPNG_CTX_ENCODER);
  spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
  spng_ihdr header = {};
  header.width = static_cast<std::uint32_t>(width);
  header.height = static_cast<std::uint32_t>(height);
  header.bit_depth = options.bit_depth;
  header.color_type = options.color_type;
  header.interlace_method = options.interlaced ? SPNG_INTERLACE_ADAM7 : SPNG_INTERLACE_NONE;
  spng_set_ihdr(png, &header);
  if (!options.palette.empty()) {
    spng_plte palette = {};
    palette.n_entries = static_cast<std::uint32_t>(options.palette.size());
    for (std::size_t i = 0; i < options.palette.size(); ++i) palette.entries[i] = options.palette[i];
    spng_set_plte(png, &palette);
  }
  EXPECT_EQ(spng_encode_image(png, samples.data(), samples.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE), 0);
  std::size_t length = 0;
  int error = 0;
  void* buffer = spng_get_png_buffer(png, &length, &error);
  EXPECT_EQ(error, 0);
  const auto* begin = static_cast<const std::uint8_t*>(buffer);
  Bytes bytes(begin, begin + length);
  std::free(buffer);
  spng_ctx_free(png);
  return bytes;
}
inline Bytes encode_png(const Image& image) {
  PngOptions options;
  if (image.channels == 1) options.color_type = SPNG_COLOR_TYPE_GRAYSCALE;
  if (image.channels == 4) options.color_type = SPNG_COLOR_TYPE_TRUECOLOR_ALPHA;
  return encode_png(image.height, image.width, image.pixels, options);
}

inline std::uint32_t crc32_of(const Bytes& bytes) {
  std::uint32_t crc = 0xFFFFFFFFu;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
  }
  return ~crc;
}

inline void append_big_endian(Bytes& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(value >> shift));
}

// Appends one PNG chunk with a right checksum.
inline void append_png_chunk(Bytes& bytes, std::string_view type, const Bytes& data) {
  append_big_endian(bytes, static_cast<std::uint32_t>(data.size()));
  Bytes body(type.begin(), type.end());
  std::copy(data.begin(), data.end(), std::back_inserter(body));
  std::copy(body.begin(), body.end(), std::back_inserter(bytes));
  append_big_endian(bytes, crc32_of(body));
}

// The message of the DataError that `action` throws; a failed test and "" if it throws none.
inline std::string data_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const DataError& error) {
    return error.what();
  }
  ADD_FAILURE() << "no DataError";
  return "";
}

}  // namespace roentgen::data

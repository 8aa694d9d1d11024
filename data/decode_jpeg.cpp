#include <fmt/core.h>

#include <csetjmp>
#include <cstdio>
#include <utility>

#include <jpeglib.h>  // after cstdio, which it needs

#include "data/decode.h"

namespace roentgen::data {
namespace {

// Progressive files have about ten scans. Some thousand of them make a small file take minutes.
constexpr int max_scans = 64;

// libjpeg reports by callback and wants to be left by longjmp, so between setjmp and here nothing has a
// destructor.
struct Reader {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg_progress_mgr progress;
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
  std::span<const std::uint8_t> bytes;
  std::uint8_t* pixels;  // [output_height, output_width, output_components]
};

Reader& reader_of(j_common_ptr jpeg) {
  return *static_cast<Reader*>(jpeg->client_data);
}

[[noreturn]] void on_error(j_common_ptr jpeg) {
  Reader& reader = reader_of(jpeg);
  reader.errors.format_message(jpeg, reader.message);
  std::longjmp(reader.escape, 1);
}

void on_message(j_common_ptr jpeg, int level) {
  if (level < 0) on_error(jpeg);  // a warning; traces are 0 and above
}

void on_progress(j_common_ptr jpeg) {
  Reader& reader = reader_of(jpeg);
  if (reader.jpeg.input_scan_number > max_scans) {
    std::snprintf(reader.message, sizeof reader.message, "more than %d scans", max_scans);
    std::longjmp(reader.escape, 1);
  }
}

void read_header(Reader& reader) {
  jpeg_create_decompress(&reader.jpeg);
  reader.jpeg.progress = &reader.progress;
  jpeg_mem_src(&reader.jpeg, reader.bytes.data(), reader.bytes.size());
  jpeg_save_markers(&reader.jpeg, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&reader.jpeg, TRUE);
  const bool four = reader.jpeg.num_components == 4;
  reader.jpeg.out_color_space = four ? JCS_CMYK : JCS_RGB;
}

void read_pixels(Reader& reader) {
  jpeg_start_decompress(&reader.jpeg);
  const std::size_t row_bytes =
      std::size_t{reader.jpeg.output_width} * static_cast<std::size_t>(reader.jpeg.output_components);
  while (reader.jpeg.output_scanline < reader.jpeg.output_height) {
    JSAMPROW row = reader.pixels + reader.jpeg.output_scanline * row_bytes;
    jpeg_read_scanlines(&reader.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&reader.jpeg);  // reads up to the end marker and misses it if cut off
}

void run(Reader& reader, void (*step)(Reader&)) {
  if (setjmp(reader.escape) == 0) {
    step(reader);
    return;
  }
  throw BadImage(fmt::format("the JPEG is damaged ({})", static_cast<const char*>(reader.message)));
}

// Adobe stores CMYK inverted, and everybody reads it so.
void cmyk_to_rgb(const std::vector<std::uint8_t>& cmyk, std::vector<std::uint8_t>& rgb) {
  for (std::size_t i = 0; i < rgb.size() / 3; ++i) {
    const int k = cmyk[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      rgb[3 * i + c] = static_cast<std::uint8_t>((cmyk[4 * i + c] * k + 127) / 255);
    }
  }
}

}  // namespace

Image decode_jpeg(std::span<const std::uint8_t> bytes) {
  Reader reader = {};
  reader.jpeg.err = jpeg_std_error(&reader.errors);
  reader.errors.error_exit = on_error;
  reader.errors.emit_message = on_message;
  reader.progress.progress_monitor = on_progress;
  reader.jpeg.client_data = &reader;
  reader.bytes = bytes;
  struct Destroy {
    jpeg_decompress_struct& jpeg;
    ~Destroy() { jpeg_destroy_decompress(&jpeg); }
  } const destroy{reader.jpeg};
  run(reader, read_header);
  check_size(reader.jpeg.image_height, reader.jpeg.image_width);
  Image image{
      static_cast<int>(reader.jpeg.image_height), static_cast<int>(reader.jpeg.image_width), 3, {}, {}};
  image.source = {image.height, image.width, reader.jpeg.num_components, reader.jpeg.data_precision,
                  ImageFormat::jpeg};
  int orientation = 1;
  for (const jpeg_marker_struct* marker = reader.jpeg.marker_list; marker && orientation == 1;
       marker = marker->next) {
    orientation = exif_orientation({marker->data, marker->data_length});
  }

  const std::size_t area = static_cast<std::size_t>(image.height) * static_cast<std::size_t>(image.width);
  image.pixels.resize(area * 3);
  std::vector<std::uint8_t> cmyk(reader.jpeg.num_components == 4 ? area * 4 : 0);
  reader.pixels = cmyk.empty() ? image.pixels.data() : cmyk.data();
  run(reader, read_pixels);
  if (!cmyk.empty()) cmyk_to_rgb(cmyk, image.pixels);
  return turned(std::move(image), orientation);
}

}  // namespace roentgen::data

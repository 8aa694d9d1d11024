// What an image goes through before training: decoding and resizing, on one thread.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdio>  // jpeglib.h needs it first
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <vector>

#include <jpeglib.h>

#include "bench/rows.h"
#include "data/file.h"
#include "data/image.h"
#include "data/phantom.h"

namespace roentgen::bench {

namespace {

using Bytes = std::vector<std::uint8_t>;

// Three equal channels, as most X-rays are stored.
data::Image picture(int size) {
  const data::Image grey = data::phantom(data::PhantomKind::covid, size, 0, 0);
  data::Image image{.height = size, .width = size, .channels = 3, .pixels = {}};
  for (const std::uint8_t value : grey.pixels) image.pixels.insert(image.pixels.end(), 3, value);
  return image;
}

Bytes png(const data::Image& image) {
  std::string name = std::filesystem::temp_directory_path() / "roentgen-bench-XXXXXX";
  const int descriptor = mkstemp(name.data());
  if (descriptor < 0) throw std::runtime_error("cannot make a file '" + name + "' for an image");
  std::fclose(fdopen(descriptor, "w"));
  data::write_png(name, image);
  Bytes bytes = data::read_file(name);
  std::filesystem::remove(name);
  return bytes;
}

Bytes jpeg(const data::Image& image) {
  jpeg_error_mgr errors = {};
  jpeg_compress_struct context = {};
  context.err = jpeg_std_error(&errors);
  jpeg_create_compress(&context);
  unsigned char* buffer = nullptr;
  unsigned long length = 0;
  jpeg_mem_dest(&context, &buffer, &length);
  context.image_height = static_cast<JDIMENSION>(image.height);
  context.image_width = static_cast<JDIMENSION>(image.width);
  context.input_components = 3;
  context.in_color_space = JCS_RGB;
  jpeg_set_defaults(&context);
  jpeg_set_quality(&context, 90, TRUE);
  jpeg_start_compress(&context, TRUE);
  Bytes pixels = image.pixels;
  while (context.next_scanline < context.image_height) {
    JSAMPROW row = pixels.data() + std::size_t{context.next_scanline} * context.image_width * 3;
    jpeg_write_scanlines(&context, &row, 1);
  }
  jpeg_finish_compress(&context);
  jpeg_destroy_compress(&context);
  Bytes bytes(buffer, buffer + length);
  std::free(buffer);
  return bytes;
}

// `work` handles one image.
void add_row(const char* name, const Settings& settings, const std::string& label,
             std::function<void()> work) {
  auto* benchmark = benchmark::RegisterBenchmark(name, [label, work](benchmark::State& state) {
    for (auto _ : state) work();
    state.counters["images_per_second"] = {1, benchmark::Counter::kIsIterationInvariantRate};
    state.SetLabel(label);
  });
  benchmark->UseRealTime()->Unit(benchmark::kMicrosecond);
  if (settings.smoke) benchmark->Iterations(1);
}

}  // namespace

void add_image_rows(const Settings& settings) {
  const int size = settings.smoke ? 64 : 640, target = settings.smoke ? 32 : 256;
  const auto image = std::make_shared<data::Image>(picture(size));
  const std::string square = fmt::format("{0}x{0}", size);
  const auto add_decoding = [&](const char* name, const Bytes& bytes) {
    add_row(name, settings, fmt::format("{}, {:.0f} KB", square, static_cast<double>(bytes.size()) / 1e3),
            [bytes] { benchmark::DoNotOptimize(data::decode_image(bytes, "image")); });
  };
  add_decoding("decode/jpeg", jpeg(*image));
  add_decoding("decode/png", png(*image));
  for (const auto how : {data::Resize::nearest, data::Resize::antialias}) {
    add_row(how == data::Resize::nearest ? "resize/nearest" : "resize/antialias", settings,
            fmt::format("{0} to {1}x{1}", square, target),
            [image, target, how] { benchmark::DoNotOptimize(data::resize(*image, target, target, how)); });
  }
}

}  // namespace roentgen::bench

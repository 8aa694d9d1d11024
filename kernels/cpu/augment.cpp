// Augmentation: the map is walked along the output row, coordinates are computed for a run of pixels at once
// (which vectorises), then each pixel is read with four loads.
#include "kernels/augment.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/cpu/parallel.h"

namespace roentgen::kernels {
namespace {

constexpr std::int64_t run = 64;          // pixels whose coordinates are computed together
constexpr std::int64_t rows_a_task = 16;  // of the output

// Where a run of output pixels reads: the upper left of four neighbours, the way to the others (0 at the
// border) and the weights of the lower and right ones.
struct Places {
  std::int32_t offset[run], down[run], right[run];
  float lower[run], further[run];
};

void find_places(const AugmentShape& s, const Affine& map, std::int64_t row, std::int64_t column,
                 Places& places) {
  const float last_r = static_cast<float>(s.h - 1), last_c = static_cast<float>(s.w - 1);
  const float step = map.flip ? -1.0f : 1.0f;
  const float first = static_cast<float>(map.flip ? s.w - 1 - column : column);
  const float base_r = map.row[0] * static_cast<float>(row) + map.row[2];
  const float base_c = map.column[0] * static_cast<float>(row) + map.column[2];
  const float row_by_column = map.row[1], column_by_column = map.column[1];
  const std::int32_t c = static_cast<std::int32_t>(s.c), line = static_cast<std::int32_t>(s.w * s.c);
  const std::int32_t end_r = static_cast<std::int32_t>(s.h - 1), end_c = static_cast<std::int32_t>(s.w - 1);
  for (std::int32_t i = 0; i < run; ++i) {
    const float at = first + step * static_cast<float>(i);
    const float r = row_by_column * at + base_r, k = column_by_column * at + base_c;
    const float r1 = std::min(r > 0 ? r : 0.0f, last_r), k1 = std::min(k > 0 ? k : 0.0f, last_c);
    const std::int32_t ir = static_cast<std::int32_t>(r1), ik = static_cast<std::int32_t>(k1);
    places.lower[i] = r1 - static_cast<float>(ir);
    places.further[i] = k1 - static_cast<float>(ik);
    places.offset[i] = ir * line + ik * c;
    places.down[i] = ir < end_r ? line : 0;
    places.right[i] = ik < end_c ? c : 0;
  }
}

// out [n, c] of the image at `places`. Any number of channels.
void read_pixels(const std::uint8_t* image, std::int64_t c, const Places& places, std::int64_t n, float scale,
                 float* out) {
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint8_t* p = image + places.offset[i];
    const std::int32_t down = places.down[i], right = places.right[i];
    const float v = places.lower[i], u = places.further[i];
    for (std::int64_t j = 0; j < c; ++j) {
      const float a = p[j], b = p[right + j], d = p[down + j], e = p[down + right + j];
      const float top = a + u * (b - a), bottom = d + u * (e - d);
      out[i * c + j] = scale * (top + v * (bottom - top));
    }
  }
}

// The same for three channels, each pixel loaded as one word of four bytes, so that a run of them becomes
// gathers. `last` is the offset of the image's last whole word: its last pixel is shifted out of that one.
void read_pixels_rgb(const std::uint8_t* image, std::int32_t last, const Places& places, float scale,
                     float* __restrict out) {
  const auto load = [=](std::int32_t offset) {
    const std::int32_t at = std::min(offset, last);
    std::uint32_t word;
    std::memcpy(&word, image + at, sizeof(word));
    return word >> (static_cast<std::uint32_t>(offset - at) * 8);
  };
  float planes[3][run];
  for (std::int64_t i = 0; i < run; ++i) {
    const std::int32_t p = places.offset[i], down = places.down[i], right = places.right[i];
    const std::uint32_t a = load(p), b = load(p + right), d = load(p + down), e = load(p + down + right);
    const float v = places.lower[i], u = places.further[i];
    const auto blend = [=](std::uint32_t shift) {
      const auto level = [=](std::uint32_t word) {
        return static_cast<float>(static_cast<std::int32_t>(word >> shift & 255));
      };
      const float top = level(a) + u * (level(b) - level(a)), bottom = level(d) + u * (level(e) - level(d));
      return scale * (top + v * (bottom - top));
    };
    planes[0][i] = blend(0);
    planes[1][i] = blend(8);
    planes[2][i] = blend(16);
  }
  for (std::int64_t i = 0; i < run; ++i)
    for (std::int64_t j = 0; j < 3; ++j) out[3 * i + j] = planes[j][i];
}

}  // namespace

template <class T>
void augment(Cpu, const AugmentShape& s, const std::uint8_t* images, const Affine* maps, double scale, T* y) {
  const float factor = static_cast<float>(scale);
  const std::int64_t image_bytes = s.h * s.w * s.c;
  if (!maps) {
    parallel_ranges(s.n * image_bytes, 1 << 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i)
        y[i] = static_cast<T>(factor * static_cast<float>(images[i]));
    });
    return;
  }
  const std::int64_t bands = (s.h + rows_a_task - 1) / rows_a_task;
  parallel_for(s.n * bands, [&](std::int64_t task) {
    const std::int64_t n = task / bands, first = task % bands * rows_a_task;
    const std::uint8_t* image = images + n * image_bytes;
    Places places;
    thread_local std::vector<float> values;
    values.resize(static_cast<std::size_t>(run * s.c));
    for (std::int64_t row = first; row < std::min(s.h, first + rows_a_task); ++row)
      for (std::int64_t column = 0; column < s.w; column += run) {
        const std::int64_t count = std::min(run, s.w - column);
        find_places(s, maps[n], row, column, places);
        if (s.c == 3 && image_bytes >= 4)
          read_pixels_rgb(image, static_cast<std::int32_t>(image_bytes - 4), places, factor, values.data());
        else
          read_pixels(image, s.c, places, count, factor, values.data());
        T* out = y + ((n * s.h + row) * s.w + column) * s.c;
        for (std::int64_t i = 0; i < count * s.c; ++i)
          out[i] = static_cast<T>(values[static_cast<std::size_t>(i)]);
      }
  });
}

template void augment<float>(Cpu, const AugmentShape&, const std::uint8_t*, const Affine*, double, float*);
template void augment<bfloat16>(Cpu, const AugmentShape&, const std::uint8_t*, const Affine*, double,
                                bfloat16*);

}  // namespace roentgen::kernels

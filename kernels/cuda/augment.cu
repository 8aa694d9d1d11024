// One thread for each output pixel.
#include "kernels/augment.h"

#include "kernels/cuda/nest.h"

namespace roentgen::kernels {
namespace {

struct Image {
  int h, w, c;
  Divisor columns, rows;
};

// As scipy.ndimage with order 1 and mode "nearest": the coordinate is clamped to the image, then the four
// pixels around it are mixed.
template <class T>
__global__ void __launch_bounds__(block_threads)
    affine_kernel(Image image, std::uint32_t pixels, const std::uint8_t* images, const Affine* maps,
                  float scale, T* y) {
  for (std::int64_t i = thread_number(); i < pixels; i += thread_count()) {
    std::uint32_t rest = static_cast<std::uint32_t>(i);
    const int column = static_cast<int>(image.columns.split(rest)),
              row = static_cast<int>(image.rows.split(rest));
    const Affine map = maps[rest];
    const float s = static_cast<float>(map.flip ? image.w - 1 - column : column), r = static_cast<float>(row);
    const float from_r = fminf(fmaxf(fmaf(map.row[0], r, fmaf(map.row[1], s, map.row[2])), 0.0f),
                               static_cast<float>(image.h - 1));
    const float from_c = fminf(fmaxf(fmaf(map.column[0], r, fmaf(map.column[1], s, map.column[2])), 0.0f),
                               static_cast<float>(image.w - 1));
    const int r0 = static_cast<int>(from_r), c0 = static_cast<int>(from_c);
    const float down = from_r - static_cast<float>(r0), right = from_c - static_cast<float>(c0);
    const std::int64_t below = r0 + 1 < image.h ? std::int64_t{image.w} * image.c : 0;
    const std::int64_t beside = c0 + 1 < image.w ? image.c : 0;
    const std::uint8_t* p =
        images + ((static_cast<std::int64_t>(rest) * image.h + r0) * image.w + c0) * image.c;
    T* out = y + i * image.c;
    for (int j = 0; j < image.c; ++j, ++p) {
      const float upper = widen(p[0]) + right * (widen(p[beside]) - widen(p[0]));
      const float lower = widen(p[below]) + right * (widen(p[below + beside]) - widen(p[below]));
      out[j] = narrow<T>(scale * (upper + down * (lower - upper)));
    }
  }
}

template <class T>
__global__ void __launch_bounds__(block_threads)
    rescale_kernel(std::int64_t n, const std::uint8_t* images, float scale, T* y) {
  for (std::int64_t i = thread_number(); i < n; i += thread_count())
    y[i] = narrow<T>(scale * widen(images[i]));
}

}  // namespace

template <class T>
void augment(Cuda device, const AugmentShape& shape, const std::uint8_t* images, const Affine* maps,
             double scale, T* y) {
  const std::int64_t pixels = shape.n * shape.h * shape.w;
  if (pixels * shape.c == 0) return;
  const float factor = static_cast<float>(scale);
  if (!maps) {
    launch(device, rescale_kernel<T>, blocks_for(pixels * shape.c), block_threads, pixels * shape.c, images,
           factor, y);
    return;
  }
  const Image image{static_cast<int>(shape.h), static_cast<int>(shape.w), static_cast<int>(shape.c),
                    Divisor(shape.w), Divisor(shape.h)};
  launch(device, affine_kernel<T>, blocks_for(pixels), block_threads, image, checked_items("augment", pixels),
         images, maps, factor, y);
}

template void augment(Cuda, const AugmentShape&, const std::uint8_t*, const Affine*, double, float*);
template void augment(Cuda, const AugmentShape&, const std::uint8_t*, const Affine*, double, bfloat16*);

}  // namespace roentgen::kernels

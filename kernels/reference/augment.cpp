#include "kernels/augment.h"

#include <algorithm>

namespace roentgen::kernels {

// As scipy.ndimage with order 1 and mode "nearest": the coordinate is clamped to the image, then the four
// pixels around it are mixed.
template <class T>
void augment(Reference, const AugmentShape& shape, const std::uint8_t* images, const Affine* maps,
             double scale, T* y) {
  const std::int64_t h = shape.h, w = shape.w, c = shape.c;
  for (std::int64_t image = 0; image < shape.n; ++image)
    for (std::int64_t row = 0; row < h; ++row)
      for (std::int64_t column = 0; column < w; ++column) {
        const std::uint8_t* in = images + image * h * w * c;
        T* out = y + ((image * h + row) * w + column) * c;
        if (!maps) {
          for (std::int64_t i = 0; i < c; ++i)
            out[i] = static_cast<T>(scale * in[(row * w + column) * c + i]);
          continue;
        }
        const Affine& map = maps[image];
        const double r = static_cast<double>(row),
                     s = static_cast<double>(map.flip ? w - 1 - column : column);
        const double from_row =
            std::clamp(double{map.row[0]} * r + double{map.row[1]} * s + double{map.row[2]}, 0.0,
                       static_cast<double>(h - 1));
        const double from_column =
            std::clamp(double{map.column[0]} * r + double{map.column[1]} * s + double{map.column[2]}, 0.0,
                       static_cast<double>(w - 1));
        const auto r0 = static_cast<std::int64_t>(from_row), c0 = static_cast<std::int64_t>(from_column);
        const std::int64_t r1 = std::min(r0 + 1, h - 1), c1 = std::min(c0 + 1, w - 1);
        const double down = from_row - static_cast<double>(r0), right = from_column - static_cast<double>(c0);
        for (std::int64_t i = 0; i < c; ++i) {
          const auto pixel = [&](std::int64_t py, std::int64_t px) -> double {
            return in[(py * w + px) * c + i];
          };
          const double above = pixel(r0, c0) * (1 - right) + pixel(r0, c1) * right;
          const double below = pixel(r1, c0) * (1 - right) + pixel(r1, c1) * right;
          out[i] = static_cast<T>(scale * (above * (1 - down) + below * down));
        }
      }
}

template void augment(Reference, const AugmentShape&, const std::uint8_t*, const Affine*, double, float*);
template void augment(Reference, const AugmentShape&, const std::uint8_t*, const Affine*, double, double*);
template void augment(Reference, const AugmentShape&, const std::uint8_t*, const Affine*, double, bfloat16*);

}  // namespace roentgen::kernels

// Random affine augmentation with the semantics of Keras' ImageDataGenerator, and rescaling from bytes.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/device.h"
#include "kernels/dtype.h"
#include "kernels/philox.h"

namespace roentgen::kernels {

// Ranges that parameters are drawn from. The defaults are the recipe's. Angles in degrees (the shear too:
// Keras takes it so), shifts as a share of the image.
struct Augmentation {
  float rotation = 20;
  float height_shift = 0.1f, width_shift = 0.1f;
  float shear = 0.2f;
  float zoom = 0.2f;  // both axes drawn apart, from [1 - zoom, 1 + zoom]
  bool horizontal_flip = true;
};

// Maps an output pixel (row, column) to the place in the input it is read from; flip mirrors the columns
// afterwards.
struct Affine {
  float row[3];     // input row = row[0] * r + row[1] * c + row[2]
  float column[3];  // input column likewise
  std::int32_t flip;
};

// What Keras' apply_affine_transform composes: R T S Z about the image centre (h / 2 - 0.5, w / 2 - 0.5),
// from theta and shear in degrees, shifts in pixels.
ROENTGEN_HOST_DEVICE inline Affine keras_affine(double theta, double row_shift, double column_shift,
                                                double shear, double row_zoom, double column_zoom, bool flip,
                                                std::int64_t h, std::int64_t w) {
  const double radian = 3.14159265358979323846 / 180;
  const double ct = std::cos(theta * radian), st = std::sin(theta * radian);
  const double cs = std::cos(shear * radian), ss = std::sin(shear * radian);
  // R S = [[ct, -st], [st, ct]] [[1, -ss], [0, cs]], columns scaled by Z; R T shifts by R (row_shift,
  // column_shift).
  const double a = ct * row_zoom, b = (-ct * ss - st * cs) * column_zoom;
  const double d = st * row_zoom, e = (-st * ss + ct * cs) * column_zoom;
  const double shift_r = ct * row_shift - st * column_shift, shift_c = st * row_shift + ct * column_shift;
  const double center_r = static_cast<double>(h) / 2 - 0.5, center_c = static_cast<double>(w) / 2 - 0.5;
  return {{static_cast<float>(a), static_cast<float>(b),
           static_cast<float>(shift_r + center_r - a * center_r - b * center_c)},
          {static_cast<float>(d), static_cast<float>(e),
           static_cast<float>(shift_c + center_c - d * center_r - e * center_c)},
          flip ? 1 : 0};
}

// The transform of one sample in one epoch: key.step is the epoch, `sample` its number in the data set.
ROENTGEN_HOST_DEVICE inline Affine draw_affine(const Augmentation& ranges, const RandomKey& key,
                                               std::int64_t sample, std::int64_t h, std::int64_t w) {
  const std::uint32_t step = resolved_step(key);
  const Philox4 p = random_block(key, step, 2 * static_cast<std::uint64_t>(sample));
  const Philox4 q = random_block(key, step, 2 * static_cast<std::uint64_t>(sample) + 1);
  const auto in = [](std::uint32_t bits, double range) { return (2.0 * to_uniform(bits) - 1.0) * range; };
  return keras_affine(in(p.x, ranges.rotation), in(p.y, ranges.height_shift) * static_cast<double>(h),
                      in(p.z, ranges.width_shift) * static_cast<double>(w), in(p.w, ranges.shear),
                      1 + in(q.x, ranges.zoom), 1 + in(q.y, ranges.zoom),
                      ranges.horizontal_flip && to_uniform(q.z) < 0.5f, h, w);
}

struct AugmentShape {
  std::int64_t n = 0, h = 0, w = 0, c = 0;
};

// y [n, h, w, c] = scale * images [n, h, w, c], read through maps [n]: bilinear, the nearest pixel outside.
// Without maps (null) just scaled.
template <class T>
void augment(Reference, const AugmentShape& shape, const std::uint8_t* images, const Affine* maps,
             double scale, T* y);
template <class T>
void augment(Cpu, const AugmentShape& shape, const std::uint8_t* images, const Affine* maps, double scale,
             T* y);
template <class T>
void augment(Cuda, const AugmentShape& shape, const std::uint8_t* images, const Affine* maps, double scale,
             T* y);

}  // namespace roentgen::kernels

// What a convolution library must do for us: apply filters to a band of rows of one image, single-threaded.
// Bands, padding, threads and everything around belong to conv_bands.h.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/dtype.h"

namespace roentgen::kernels {

// Filters [k, r, s, c] over rows of in_w pixels of c channels, without padding, giving rows of out_w pixels.
struct Correlation {
  std::int64_t in_w = 0, c = 0, out_w = 0, k = 0, r = 0, s = 0;
  std::int64_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;

  std::int64_t rows_in(std::int64_t rows_out) const {
    return (rows_out - 1) * stride_h + dilation_h * (r - 1) + 1;
  }
  std::int64_t filter_size() const { return k * r * s * c; }
  auto operator<=>(const Correlation&) const = default;
};

// E is the type of inputs and filters; sums are float.
template <class E>
class ForwardEngine {
 public:
  virtual ~ForwardEngine() = default;
  // Elements of packed filters, and the packing of [k, r, s, c]; once per call.
  virtual std::int64_t packed_size() const = 0;
  virtual void pack(const E* filters, E* packed) const = 0;
  // Floats from one output pixel to the next, at least k.
  virtual std::int64_t out_pixel() const = 0;
  // True where run may read up to 64 bytes past src, which must then hold finite numbers.
  virtual bool overreads() const { return false; }
  // out [rows, out_w, out_pixel()] = filters over src [rows_in(rows), in_w, c], plus bias, which has
  // out_pixel() floats.
  virtual void run(std::int64_t rows, const E* src, const E* packed, const float* bias, float* out) const = 0;
};

// The filters' gradient, summed over bands.
template <class E>
class GradientEngine {
 public:
  virtual ~GradientEngine() = default;
  // Floats of a partial sum, and its unpacking to [k, r, s, c].
  virtual std::int64_t partial_size() const = 0;
  virtual void unpack(const float* partial, float* filters) const = 0;
  // True where d must have d_row == out_w * k.
  virtual bool dense() const = 0;
  // partial += src [rows_in(rows), in_w, c] correlated with d [rows, out_w, k], d_row elements from row to
  // row.
  virtual void run(std::int64_t rows, const E* src, const E* d, std::int64_t d_row, float* partial) const = 0;
};

// Own register-blocked kernels for any shape.
std::unique_ptr<ForwardEngine<float>> direct_forward(const Correlation& shape);
std::unique_ptr<GradientEngine<float>> direct_gradient(const Correlation& shape);

// Engines that may be chosen: all, unless a test or a benchmark wants to see one of them. The own float
// kernels still serve where nothing else can.
struct Engines {
  bool direct = true, amx = true, onednn = true;
};
Engines& allowed_engines();

// The fastest there is for the shape; null where only float can compute it (E = bfloat16). rows is the usual
// height of a band.
template <class E>
std::unique_ptr<ForwardEngine<E>> make_forward_engine(const Correlation& shape, std::int64_t rows);
template <class E>
std::unique_ptr<GradientEngine<E>> make_gradient_engine(const Correlation& shape, std::int64_t rows);

}  // namespace roentgen::kernels

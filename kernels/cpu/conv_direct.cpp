// Own convolution: outputs of a few pixels by a few vectors of filters are kept in registers (tile.h) while
// the taps run past. Filters and partial gradients are packed as [group][tap][inner][group's columns].
#include <algorithm>

#include "kernels/cpu/conv_engine.h"
#include "kernels/cpu/simd.h"
#include "kernels/cpu/tile.h"

namespace roentgen::kernels {
namespace {

// Bytes of packed filters that rows of so many pixels are run against at once, so that they stay in the L1
// cache.
constexpr std::int64_t chunk_bytes = 28 << 10, forward_pixels = 128;
// Pixels over which a block of the gradient is summed before it goes back to memory.
constexpr std::int64_t gradient_pixels = 128;

struct Packing {
  explicit Packing(const Correlation& shape)
      : g(shape),
        taps(g.dilation_w == 1 ? g.r : g.r * g.s),
        inner(g.dilation_w == 1 ? g.s * g.c : g.c),
        columns(round_up(g.k, lanes)),
        groups(columns / lanes, max_tile_vectors) {}

  // Where in the input a tap begins, in elements from the pixel's own place.
  std::int64_t tap_offset(std::int64_t tap) const {
    if (g.dilation_w == 1) return tap * g.dilation_h * g.in_w * g.c;
    return (tap / g.s * g.dilation_h * g.in_w + tap % g.s * g.dilation_w) * g.c;
  }
  std::int64_t first_column(std::int64_t group) const { return groups.begin(group) * lanes; }
  std::int64_t width(std::int64_t group) const { return groups.size(group) * lanes; }
  std::int64_t size() const { return taps * inner * columns; }
  std::int64_t group_begin(std::int64_t group) const { return taps * inner * first_column(group); }

  // f(column of the packing, its index in [k, r, s, c] or -1 beyond the filters, place in the packing)
  template <class F>
  void for_each(F&& f) const {
    for (std::int64_t group = 0; group < groups.pieces; ++group)
      for (std::int64_t i = 0; i < taps * inner; ++i)
        for (std::int64_t j = 0; j < width(group); ++j) {
          const std::int64_t k = first_column(group) + j;
          f(k < g.k ? k * taps * inner + i : -1, group_begin(group) + i * width(group) + j);
        }
  }

  Correlation g;
  std::int64_t taps, inner, columns;
  Split groups;  // of vectors
};

class DirectForward final : public ForwardEngine<float> {
 public:
  explicit DirectForward(const Correlation& shape) : p_(shape) {}

  std::int64_t packed_size() const override { return p_.size(); }
  void pack(const float* filters, float* packed) const override {
    p_.for_each([&](std::int64_t from, std::int64_t to) { packed[to] = from < 0 ? 0 : filters[from]; });
  }
  std::int64_t out_pixel() const override { return p_.columns; }

  void run(std::int64_t rows, const float* src, const float* packed, const float* bias,
           float* out) const override {
    const Correlation& g = p_.g;
    const std::int64_t together = std::max<std::int64_t>(1, forward_pixels / g.out_w);
    for (std::int64_t row = 0; row < rows; row += together)
      for (std::int64_t group = 0; group < p_.groups.pieces; ++group) {
        const std::int64_t width = p_.width(group), first = p_.first_column(group);
        const Split chunks(p_.inner, std::max<std::int64_t>(1, chunk_bytes / 4 / width));
        TileOperands t;
        t.a_row = g.stride_w * g.c;
        t.a_inner = 1;
        t.b = packed + p_.group_begin(group);
        t.b_inner = width;
        t.c_row = p_.columns;
        t.start = bias + first;
        for (std::int64_t tap = 0; tap < p_.taps; ++tap)
          for (std::int64_t chunk = 0; chunk < chunks.pieces; ++chunk) {
            t.inner = chunks.size(chunk);
            for (std::int64_t i = row; i < std::min(rows, row + together); ++i) {
              t.a = src + i * g.stride_h * g.in_w * g.c + p_.tap_offset(tap) + chunks.begin(chunk);
              t.c = out + i * g.out_w * p_.columns + first;
              tile_rows(g.out_w, static_cast<int>(width / lanes), t);
            }
            t.accumulate = true;
            t.b += t.inner * width;
          }
      }
  }

 private:
  Packing p_;
};

class DirectGradient final : public GradientEngine<float> {
 public:
  explicit DirectGradient(const Correlation& shape) : p_(shape) {}

  std::int64_t partial_size() const override { return p_.size(); }
  void unpack(const float* partial, float* filters) const override {
    p_.for_each([&](std::int64_t to, std::int64_t from) {
      if (to >= 0) filters[to] = partial[from];
    });
  }
  bool dense() const override { return false; }

  void run(std::int64_t rows, const float* src, const float* d, std::int64_t d_row,
           float* partial) const override {
    const Correlation& g = p_.g;
    const std::int64_t together = std::max<std::int64_t>(1, gradient_pixels / g.out_w);
    for (std::int64_t row = 0; row < rows; row += together)
      for (std::int64_t group = 0; group < p_.groups.pieces; ++group)
        for (std::int64_t tap = 0; tap < p_.taps; ++tap) {
          TileOperands t;
          t.outer = std::min(together, rows - row);
          t.inner = g.out_w;
          t.a = src + row * g.stride_h * g.in_w * g.c + p_.tap_offset(tap);
          t.a_row = 1;
          t.a_outer = g.stride_h * g.in_w * g.c;
          t.a_inner = g.stride_w * g.c;
          t.b = d + row * d_row + p_.first_column(group);
          t.b_outer = d_row;
          t.b_inner = g.k;  // the last vector may reach into the next pixel: those columns are never unpacked
          t.c = partial + p_.group_begin(group) + tap * p_.inner * p_.width(group);
          t.c_row = p_.width(group);
          t.accumulate = true;
          tile_rows(p_.inner, static_cast<int>(p_.width(group) / lanes), t);
        }
  }

 private:
  Packing p_;
};

}  // namespace

std::unique_ptr<ForwardEngine<float>> direct_forward(const Correlation& shape) {
  return std::make_unique<DirectForward>(shape);
}
std::unique_ptr<GradientEngine<float>> direct_gradient(const Correlation& shape) {
  return std::make_unique<DirectGradient>(shape);
}

}  // namespace roentgen::kernels

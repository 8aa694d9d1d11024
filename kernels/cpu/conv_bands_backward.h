// The backward half of conv_bands.h.
#pragma once

#include "kernels/cpu/conv_bands.h"

namespace roentgen::kernels {

// out [rows, cols, k]: rows from `row` and columns from `col` of the gradient with stride - 1 zeros spread
// between its pixels.
template <class E, class Fill>
void fill_spread(const Conv2dShape& s, Fill&& fill, std::int64_t image, std::int64_t row, std::int64_t rows,
                 std::int64_t col, std::int64_t cols, E* out) {
  const std::int64_t out_w = s.out_w();
  E* line = scratch<E>(Slot::line, out_w * s.k);
  std::fill_n(out, rows * cols * s.k, E{});
  for (std::int64_t i = 0; i < rows; ++i) {
    if (row + i < 0 || (row + i) % s.stride_h != 0) continue;
    fill(image, (row + i) / s.stride_h, 1, 0, out_w, line);
    for (std::int64_t x = 0; x < out_w; ++x) {
      const std::int64_t j = x * s.stride_w - col;
      if (j >= 0 && j < cols) std::copy_n(line + x * s.k, s.k, out + (i * cols + j) * s.k);
    }
  }
}

// dx and dfilters (either may be null). fill(image, row, rows, col, cols, out) writes the gradient of the
// convolution's outputs there, zeros outside the image; sum_bias(image, band, bands, sums) adds a share of
// the image to sums [k], if dbias is not null.
template <class T, class Fill, class SumBias>
void convolve_backward(const Conv2dShape& s, const T* x, const T* filters, Fill&& fill, SumBias&& sum_bias,
                       T* dx, float* dfilters, float* dbias) {
  const Correlation back = transposed(s), forward = correlation(s);
  const std::int64_t out_h = s.out_h(), out_w = s.out_w();
  const std::int64_t halo = s.dilation_h * (s.r - 1);
  const std::int64_t top = halo - s.pad_h, left = s.dilation_w * (s.s - 1) - s.pad_w;
  const Bands dx_bands(s.h, 1, std::max(back.out_w * back.k, out_w * s.k));
  const std::int64_t bands = std::max<std::int64_t>(1, dx_bands.split.pieces);
  const Split gradient_rows = Split::into(out_h, bands);
  const std::int64_t units = s.n * bands;

  with_engine_type<T>([&](auto type) {
    using E = decltype(type);
    const auto data = dx ? make_forward_engine<E>(back, dx_bands.usual()) : nullptr;
    const auto weights = dfilters ? make_gradient_engine<E>(forward, gradient_rows.size(0)) : nullptr;
    if ((dx && !data) || (dfilters && !weights)) return false;

    Workspace<E> turned(data ? back.filter_size() : 0);
    if (data) transpose_filters(s, filters, turned.data());
    const Workspace<E> packed(data ? data->packed_size() : 0);
    const std::int64_t pixel = data ? data->out_pixel() : 0;
    const Workspace<float> no_bias(pixel);
    std::fill_n(no_bias.data(), pixel, 0.0f);
    if (data) data->pack(turned.data(), packed.data());

    // Each group sums its units in order into a partial of its own: filters, then bias.
    const std::int64_t filter_part = weights ? weights->partial_size() : 0;
    const std::int64_t part = round_up(filter_part + (dbias ? s.k : 0), 16);
    std::int64_t groups = units;
    if (part > 0) groups = std::min(units, std::clamp(partial_bytes / 4 / part, min_groups, max_groups));
    const Workspace<float> partials(groups * part);

    const auto run_unit = [&](std::int64_t image, std::int64_t band, float* partial) {
      const std::int64_t row = dx_bands.begin(band), rows = dx_bands.end(band) - row;
      const std::int64_t d_row = gradient_rows.begin(band), d_rows = gradient_rows.size(band);
      const E* d = nullptr;
      std::int64_t d_stride = out_w * s.k;
      if (data) {
        const std::int64_t size = (rows + halo) * back.in_w * s.k;
        E* padded = scratch<E>(Slot::gradient, size + overread<E>);
        std::fill_n(padded + size, overread<E>, E{});
        if (s.stride_h == 1 && s.stride_w == 1) {
          fill(image, row - top, rows + halo, -left, back.in_w, padded);
          // The weights' gradient reads the same rows, where they are all there.
          if (weights && !weights->dense() && left >= 0 && s.pad_w >= 0 && d_row >= row - top &&
              d_row + d_rows <= row - top + rows + halo && left + out_w <= back.in_w) {
            d_stride = back.in_w * s.k;
            d = padded + ((d_row - row + top) * back.in_w + left) * s.k;
          }
        } else {
          fill_spread(s, fill, image, row - top, rows + halo, -left, back.in_w, padded);
        }
        T* to = dx + (image * s.h + row) * s.w * s.c;
        if constexpr (std::is_same_v<T, float>) {
          if (pixel == s.c) {
            data->run(rows, padded, packed.data(), no_bias.data(), to);
            to = nullptr;
          }
        }
        if (to) {
          float* out = scratch<float>(Slot::output, rows * s.w * pixel);
          data->run(rows, padded, packed.data(), no_bias.data(), out);
          copy_pixels(out, pixel, rows * s.w, s.c, to);
        }
      }
      if (weights && d_rows > 0) {
        if (!d) {
          E* own = scratch<E>(Slot::gradient2, d_rows * out_w * s.k);
          fill(image, d_row, d_rows, 0, out_w, own);
          d = own;
        }
        weights->run(d_rows, input_band<T, E>(s, x, image, d_row, d_rows, false), d, d_stride, partial);
      }
      if (dbias) sum_bias(image, band, bands, partial + filter_part);
    };

    parallel_for(groups, [&](std::int64_t group) {
      float* partial = partials.data() + group * part;
      std::fill_n(partial, part, 0.0f);
      for (std::int64_t unit = group * units / groups; unit < (group + 1) * units / groups; ++unit)
        run_unit(unit / bands, unit % bands, partial);
    });

    if (part > 0) {
      const Workspace<float> total(part);
      parallel_ranges(part, 4096, [&](std::int64_t begin, std::int64_t end) {
        std::fill(total.data() + begin, total.data() + end, 0.0f);
        for (std::int64_t group = 0; group < groups; ++group)
          for (std::int64_t i = begin; i < end; ++i) total.data()[i] += partials.data()[group * part + i];
      });
      if (weights) weights->unpack(total.data(), dfilters);
      if (dbias) std::copy_n(total.data() + filter_part, s.k, dbias);
    }
    return true;
  });
}

}  // namespace roentgen::kernels

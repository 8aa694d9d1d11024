// Fused blocks. Around each band of convolution outputs, while it is in cache: ReLU, pooling and dropout on
// the way forward, their inverse on the way back.
#include "kernels/blocks.h"

#include <algorithm>

#include "kernels/cpu/block_rows.h"
#include "kernels/cpu/conv_bands_backward.h"
#include "kernels/cpu/dropout_mask.h"

namespace roentgen::kernels {
namespace {

template <class T>
auto pool_row_for(std::int64_t pool) {
  switch (pool) {
    case 1:
      return &pool_row<1, T>;
    case 2:
      return &pool_row<2, T>;
    case 3:
      return &pool_row<3, T>;
    default:
      return &pool_row<0, T>;
  }
}

float keep_scale(float rate) {
  return static_cast<float>(1 / (1 - static_cast<double>(rate)));
}

}  // namespace

std::int64_t conv_block_mask_bytes(Cpu, const ConvBlockShape& s) {
  return s.conv.n * s.out_h() * s.out_w() * s.conv.k;
}

template <class T>
void conv_block_forward(Cpu, const ConvBlockShape& s, const T* x, const T* filters, const Master<T>* bias,
                        T* y, std::uint8_t* mask) {
  const std::int64_t out_h = s.out_h(), line = s.out_w() * s.conv.k, conv_w = s.conv.out_w();
  const std::uint32_t step = resolved_step(s.key), threshold = drop_threshold(s.rate);
  const float scale = keep_scale(s.rate);
  const auto pool = pool_row_for<T>(s.pool);
  convolve(
      s.conv, out_h * s.pool, s.pool, x, filters, bias,
      [&](std::int64_t image, std::int64_t row, std::int64_t rows, const float* out, std::int64_t pixel) {
        std::uint8_t* keep = scratch<std::uint8_t>(Slot::keep, 2 * line);
        if (s.rate <= 0) std::fill_n(keep, line, std::uint8_t{1});
        for (std::int64_t i = 0; i < rows / s.pool; ++i) {
          const std::int64_t at = (image * out_h + row / s.pool + i) * line;
          if (s.rate > 0) keep_mask(s.key, step, static_cast<std::uint64_t>(at), line, threshold, keep);
          pool(s, out + i * s.pool * conv_w * pixel, conv_w * pixel, pixel, keep, scale, y + at,
               mask ? mask + at : keep + line);
        }
      });
}

template <class T>
void conv_block_backward(Cpu, const ConvBlockShape& s, const T* x, const T* filters, const std::uint8_t* mask,
                         const T* dy, T* dx, Master<T>* dfilters, Master<T>* dbias) {
  const std::int64_t out_h = s.out_h(), out_w = s.out_w(), k = s.conv.k, line = out_w * k;
  const float scale = keep_scale(s.rate);
  // The gradient of the convolution's outputs: dy where the mask points, zeros elsewhere.
  const auto fill = [&](std::int64_t image, std::int64_t row, std::int64_t rows, std::int64_t col,
                        std::int64_t cols, auto* out) {
    const std::int64_t from = std::clamp<std::int64_t>(-col, 0, cols);
    const std::int64_t to = std::clamp<std::int64_t>(out_w * s.pool - col, from, cols);
    for (std::int64_t i = row; i < row + rows; ++i, out += cols * k) {
      if (i < 0 || i >= out_h * s.pool) {
        std::fill_n(out, cols * k, std::remove_reference_t<decltype(*out)>{});
        continue;
      }
      std::fill_n(out, from * k, std::remove_reference_t<decltype(*out)>{});
      std::fill_n(out + to * k, (cols - to) * k, std::remove_reference_t<decltype(*out)>{});
      const std::int64_t at = (image * out_h + i / s.pool) * line;
      unpool_row(s.pool, k, mask + at, dy + at, i % s.pool, scale, col + from, to - from, out + from * k);
    }
  };
  const auto sum_bias = [&](std::int64_t image, std::int64_t band, std::int64_t bands, float* sums) {
    const std::int64_t begin = (image * out_h + band * out_h / bands) * line;
    const std::int64_t end = (image * out_h + (band + 1) * out_h / bands) * line;
    add_live((end - begin) / k, k, mask + begin, dy + begin, scale, sums);
  };
  convolve_backward(s.conv, x, filters, fill, sum_bias, dx, dfilters, dbias);
}

template <class T>
void linear_block_forward(Cpu, const LinearBlockShape& s, const T* x, const T* w, const Master<T>* bias,
                          T* y) {
  linear_forward(Cpu{}, s.linear, x, w, bias, y);
  const std::uint32_t step = resolved_step(s.key), threshold = drop_threshold(s.rate);
  const float scale = keep_scale(s.rate);
  parallel_ranges(s.linear.rows * s.linear.out, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
    std::uint8_t* keep = scratch<std::uint8_t>(Slot::keep, end - begin);
    if (s.rate > 0)
      keep_mask(s.key, step, static_cast<std::uint64_t>(begin), end - begin, threshold, keep);
    else
      std::fill_n(keep, end - begin, std::uint8_t{1});
    for (std::int64_t i = begin; i < end; ++i) {
      const float value = static_cast<float>(y[i]);
      const bool live = !(value <= 0) & (keep[i - begin] != 0);
      y[i] = static_cast<T>(live ? scale * value : 0.0f);
    }
  });
}

template <class T>
void linear_block_backward(Cpu, const LinearBlockShape& s, const T* x, const T* w, const T* y, const T* dy,
                           T* dx, Master<T>* dw, Master<T>* dbias) {
  const float scale = keep_scale(s.rate);
  const std::int64_t n = s.linear.rows * s.linear.out;
  const Workspace<T> inner(n);
  T* dz = inner.data();
  parallel_ranges(n, 1 << 14, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      dz[i] = static_cast<T>(static_cast<float>(y[i]) != 0 ? scale * static_cast<float>(dy[i]) : 0.0f);
  });
  if (dx) linear_backward_data(Cpu{}, s.linear, dz, w, dx);
  linear_backward_weights(Cpu{}, s.linear, x, dz, dw, dbias);
}

template void conv_block_forward<float>(Cpu, const ConvBlockShape&, const float*, const float*, const float*,
                                        float*, std::uint8_t*);
template void conv_block_forward<bfloat16>(Cpu, const ConvBlockShape&, const bfloat16*, const bfloat16*,
                                           const float*, bfloat16*, std::uint8_t*);
template void conv_block_backward<float>(Cpu, const ConvBlockShape&, const float*, const float*,
                                         const std::uint8_t*, const float*, float*, float*, float*);
template void conv_block_backward<bfloat16>(Cpu, const ConvBlockShape&, const bfloat16*, const bfloat16*,
                                            const std::uint8_t*, const bfloat16*, bfloat16*, float*, float*);
template void linear_block_forward<float>(Cpu, const LinearBlockShape&, const float*, const float*,
                                          const float*, float*);
template void linear_block_forward<bfloat16>(Cpu, const LinearBlockShape&, const bfloat16*, const bfloat16*,
                                             const float*, bfloat16*);
template void linear_block_backward<float>(Cpu, const LinearBlockShape&, const float*, const float*,
                                           const float*, const float*, float*, float*, float*);
template void linear_block_backward<bfloat16>(Cpu, const LinearBlockShape&, const bfloat16*, const bfloat16*,
                                              const bfloat16*, const bfloat16*, bfloat16*, float*, float*);

}  // namespace roentgen::kernels

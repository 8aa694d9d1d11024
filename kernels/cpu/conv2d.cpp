#include "kernels/conv2d.h"

#include "kernels/cpu/conv_bands_backward.h"

namespace roentgen::kernels {
namespace {

// Gives convolve_backward the gradient of y as it is.
template <class T>
auto plain_fill(const Conv2dShape& s, const T* dy) {
  return
      [&s, dy, out_h = s.out_h(), out_w = s.out_w()](std::int64_t image, std::int64_t row, std::int64_t rows,
                                                     std::int64_t col, std::int64_t cols, auto* out) {
        window(dy + image * out_h * out_w * s.k, out_h, out_w, s.k, row, rows, col, cols, out);
      };
}

}  // namespace

template <class T>
void conv2d_forward(Cpu, const Conv2dShape& s, const T* x, const T* filters, const Master<T>* bias, T* y) {
  const std::int64_t out_h = s.out_h(), out_w = s.out_w();
  convolve(
      s, out_h, 1, x, filters, bias,
      [&](std::int64_t image, std::int64_t row, std::int64_t rows, const float* out, std::int64_t pixel) {
        copy_pixels(out, pixel, rows * out_w, s.k, y + (image * out_h + row) * out_w * s.k);
      });
}

template <class T>
void conv2d_backward_data(Cpu, const Conv2dShape& s, const T* dy, const T* filters, T* dx) {
  convolve_backward<T>(
      s, nullptr, filters, plain_fill(s, dy), [](auto...) {}, dx, nullptr, nullptr);
}

template <class T>
void conv2d_backward_weights(Cpu, const Conv2dShape& s, const T* x, const T* dy, Master<T>* dfilters,
                             Master<T>* dbias) {
  const std::int64_t out_h = s.out_h(), line = s.out_w() * s.k;
  const auto sum_bias = [&](std::int64_t image, std::int64_t band, std::int64_t bands, float* sums) {
    const T* from = dy + image * out_h * line;
    for (std::int64_t i = band * out_h / bands * line; i < (band + 1) * out_h / bands * line; i += s.k)
      for (std::int64_t k = 0; k < s.k; ++k) sums[k] += static_cast<float>(from[i + k]);
  };
  convolve_backward<T>(s, x, nullptr, plain_fill(s, dy), sum_bias, nullptr, dfilters, dbias);
}

template void conv2d_forward<float>(Cpu, const Conv2dShape&, const float*, const float*, const float*,
                                    float*);
template void conv2d_forward<bfloat16>(Cpu, const Conv2dShape&, const bfloat16*, const bfloat16*,
                                       const float*, bfloat16*);
template void conv2d_backward_data<float>(Cpu, const Conv2dShape&, const float*, const float*, float*);
template void conv2d_backward_data<bfloat16>(Cpu, const Conv2dShape&, const bfloat16*, const bfloat16*,
                                             bfloat16*);
template void conv2d_backward_weights<float>(Cpu, const Conv2dShape&, const float*, const float*, float*,
                                             float*);
template void conv2d_backward_weights<bfloat16>(Cpu, const Conv2dShape&, const bfloat16*, const bfloat16*,
                                                float*, float*);

}  // namespace roentgen::kernels

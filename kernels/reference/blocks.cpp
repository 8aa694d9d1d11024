// The blocks as what they are defined to be: compositions of the plain kernels. The mask holds one byte per
// pooled output, the position in its window (row * pool + column) or `dead`.
#include "kernels/blocks.h"

#include <vector>

#include "kernels/elementwise.h"
#include "kernels/pool.h"
#include "kernels/random.h"

namespace roentgen::kernels {
namespace {

constexpr std::uint8_t dead = 255;

std::int64_t full_size(const ConvBlockShape& shape) {
  return shape.conv.n * shape.conv.out_h() * shape.conv.out_w() * shape.conv.k;
}

std::int64_t pooled_size(const ConvBlockShape& shape) {
  return shape.conv.n * shape.out_h() * shape.out_w() * shape.conv.k;
}

Pool2dShape pooling(const ConvBlockShape& shape) {
  return {.n = shape.conv.n,
          .h = shape.conv.out_h(),
          .w = shape.conv.out_w(),
          .c = shape.conv.k,
          .kernel_h = shape.pool,
          .kernel_w = shape.pool,
          .stride_h = shape.pool,
          .stride_w = shape.pool};
}

}  // namespace

std::int64_t conv_block_mask_bytes(Reference, const ConvBlockShape& shape) {
  return pooled_size(shape);
}

template <class T>
void conv_block_forward(Reference device, const ConvBlockShape& shape, const T* x, const T* filters,
                        const Master<T>* bias, T* y, std::uint8_t* mask) {
  const std::int64_t n = full_size(shape), n_pooled = pooled_size(shape);
  std::vector<T> full(static_cast<std::size_t>(n));
  std::vector<std::int32_t> argmax(static_cast<std::size_t>(n_pooled));
  conv2d_forward(device, shape.conv, x, filters, bias, full.data());
  relu_forward(device, full.data(), full.data(), n);
  max_pool_forward(device, pooling(shape), full.data(), y, argmax.data());
  if (mask) {
    const std::uint32_t step = resolved_step(shape.key), threshold = drop_threshold(shape.rate);
    const std::int64_t row = shape.conv.out_w(), pool = shape.pool;
    for (std::int64_t i = 0; i < n_pooled; ++i) {
      const bool kept = random_bits(shape.key, step, static_cast<std::uint64_t>(i)) >= threshold;
      const std::int64_t where = argmax[static_cast<std::size_t>(i)];
      // Windows start at multiples of pool, so the position is the remainder.
      const std::int64_t position = where / row % pool * pool + where % row % pool;
      mask[i] = kept && static_cast<double>(y[i]) > 0 ? static_cast<std::uint8_t>(position) : dead;
    }
  }
  dropout(device, y, y, n_pooled, shape.rate, shape.key);
}

template <class T>
void conv_block_backward(Reference device, const ConvBlockShape& shape, const T* x, const T* filters,
                         const std::uint8_t* mask, const T* dy, T* dx, Master<T>* dfilters,
                         Master<T>* dbias) {
  std::vector<T> full(static_cast<std::size_t>(full_size(shape)), T{});
  const std::int64_t pool = shape.pool, k = shape.conv.k;
  std::int64_t i = 0;
  for (std::int64_t image = 0; image < shape.conv.n; ++image)
    for (std::int64_t oy = 0; oy < shape.out_h(); ++oy)
      for (std::int64_t ox = 0; ox < shape.out_w(); ++ox)
        for (std::int64_t channel = 0; channel < k; ++channel, ++i) {
          if (mask[i] == dead) continue;
          const std::int64_t row = oy * pool + mask[i] / pool, column = ox * pool + mask[i] % pool;
          full[static_cast<std::size_t>(
              ((image * shape.conv.out_h() + row) * shape.conv.out_w() + column) * k + channel)] =
              static_cast<T>(static_cast<double>(dy[i]) / (1.0 - static_cast<double>(shape.rate)));
        }
  if (dx) conv2d_backward_data(device, shape.conv, full.data(), filters, dx);
  conv2d_backward_weights(device, shape.conv, x, full.data(), dfilters, dbias);
}

template <class T>
void linear_block_forward(Reference device, const LinearBlockShape& shape, const T* x, const T* w,
                          const Master<T>* bias, T* y) {
  const std::int64_t n = shape.linear.rows * shape.linear.out;
  linear_forward(device, shape.linear, x, w, bias, y);
  relu_forward(device, y, y, n);
  dropout(device, y, y, n, shape.rate, shape.key);
}

template <class T>
void linear_block_backward(Reference device, const LinearBlockShape& shape, const T* x, const T* w,
                           const T* y, const T* dy, T* dx, Master<T>* dw, Master<T>* dbias) {
  const std::int64_t n = shape.linear.rows * shape.linear.out;
  std::vector<T> masked(static_cast<std::size_t>(n));
  relu_backward(device, y, dy, masked.data(), n);
  scale(device, masked.data(), masked.data(), n, 1.0 / (1.0 - static_cast<double>(shape.rate)));
  if (dx) linear_backward_data(device, shape.linear, masked.data(), w, dx);
  linear_backward_weights(device, shape.linear, x, masked.data(), dw, dbias);
}

#define ROENTGEN_INSTANTIATE(T)                                                                            \
  template void conv_block_forward(Reference, const ConvBlockShape&, const T*, const T*, const Master<T>*, \
                                   T*, std::uint8_t*);                                                     \
  template void conv_block_backward(Reference, const ConvBlockShape&, const T*, const T*,                  \
                                    const std::uint8_t*, const T*, T*, Master<T>*, Master<T>*);            \
  template void linear_block_forward(Reference, const LinearBlockShape&, const T*, const T*,               \
                                     const Master<T>*, T*);                                                \
  template void linear_block_backward(Reference, const LinearBlockShape&, const T*, const T*, const T*,    \
                                      const T*, T*, Master<T>*, Master<T>*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(double)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

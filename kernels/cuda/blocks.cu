// Convolution into scratch memory, then one kernel for bias, ReLU, pooling and dropout; backward, one kernel
// undoes pooling and dropout, and the bias' gradient is summed from the pooled gradients.
#include "kernels/blocks.h"

#include "kernels/cuda/first_layer.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/mask.h"
#include "kernels/cuda/reduction.h"

namespace roentgen::kernels {
namespace {

std::int64_t pooled_size(const ConvBlockShape& s) {
  return s.conv.n * s.out_h() * s.out_w() * s.conv.k;
}
std::int64_t full_size(const ConvBlockShape& s) {
  return s.conv.n * s.conv.out_h() * s.conv.out_w() * s.conv.k;
}

struct Windows {
  int pool, h, w, full_h, full_w;  // h, w: pooled
  std::int64_t k;

  explicit Windows(const ConvBlockShape& s)
      : pool(static_cast<int>(s.pool)),
        h(static_cast<int>(s.out_h())),
        w(static_cast<int>(s.out_w())),
        full_h(static_cast<int>(s.conv.out_h())),
        full_w(static_cast<int>(s.conv.out_w())),
        k(s.conv.k) {}
};

// Takes apart the number of a group of `width` channels of [n, rows, columns, k].
struct GroupIndex {
  Divisor groups, columns, rows;
  GroupIndex(std::int64_t k, int width, std::int64_t columns_, std::int64_t rows_)
      : groups(k / width), columns(columns_), rows(rows_) {}
};

// The maximum of a window, its first place, NaN before all.
struct Best {
  float value;
  int place;
  __device__ __forceinline__ void offer(float v, int at) {
    if (at == 0 || v > value || (v != v && value == value)) {
      value = v;
      place = at;
    }
  }
};

// A thread makes the four outputs of one block of random numbers; with width = 4 they are channels of one
// pixel (k % 4 = 0), with width = 1 any neighbours.
template <class T, int width>
__global__ void __launch_bounds__(block_threads)
    pool_kernel(Windows g, GroupIndex index, std::int64_t n, RandomKey key, std::uint32_t threshold,
                float scale, MaskLayout layout, const T* z, const float* bias, T* y, std::uint8_t* mask) {
  const std::uint32_t step = resolved_step(key);
  for (std::int64_t block = thread_number(); block * 4 < n; block += thread_count()) {
    const std::int64_t first = block * 4;
    Best best[4] = {};
#pragma unroll
    for (int j = 0; j < 4; j += width) {
      if (first + j >= n) break;
      std::uint32_t number = static_cast<std::uint32_t>((first + j) / width);
      const std::int64_t channel = std::int64_t{index.groups.split(number)} * width;
      const int x = static_cast<int>(index.columns.split(number)),
                row = static_cast<int>(index.rows.split(number));
      const std::int64_t corner =
          ((std::int64_t{number} * g.full_h + row * g.pool) * g.full_w + x * g.pool) * g.k + channel;
      for (int r = 0; r < g.pool; ++r)
        for (int s = 0; s < g.pool; ++s) {
          const auto values = load_pack<T, width>(z + corner + (std::int64_t{r} * g.full_w + s) * g.k);
#pragma unroll
          for (int i = 0; i < width; ++i)
            best[j + i].offer(widen(values.at[i]) + (bias ? bias[channel + i] : 0.0f), r * g.pool + s);
        }
    }
    Philox4 numbers{0, 0, 0, 0};
    if (threshold > 0) numbers = random_block(key, step, static_cast<std::uint64_t>(block));
    const std::uint32_t bits[4] = {numbers.x, numbers.y, numbers.z, numbers.w};
    int places[4];
    Pack<T, 4> out;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const bool kept = bits[j] >= threshold;
      out.at[j] = narrow<T>(!kept || best[j].value <= 0 ? 0.0f : best[j].value * scale);
      places[j] = kept && best[j].value > 0 ? best[j].place : layout.dead;
    }
    if (width == 4)
      store_pack<T, 4>(y + first, out);
    else
      for (int j = 0; j < 4 && first + j < n; ++j) y[first + j] = out.at[j];
    if (!mask) continue;
    if (layout.packed) {
      for (int j = 0; j < 4 && first + j < n; j += 2)
        mask[(first + j) / 2] = static_cast<std::uint8_t>(places[j] | places[j + 1] << 4);
    } else {
      for (int j = 0; j < 4 && first + j < n; ++j) mask[first + j] = static_cast<std::uint8_t>(places[j]);
    }
  }
}

// Each element of dz [n, full_h, full_w, k] takes its output's gradient if it was the maximum. dz covers the
// border that no window reaches, too.
template <class T, int width>
__global__ void __launch_bounds__(block_threads)
    unpool_kernel(Windows g, GroupIndex index, Divisor pool, std::uint32_t n, PooledGradient<T> gradient,
                  T* dz) {
  for (std::int64_t i = thread_number(); i < n; i += thread_count()) {
    std::uint32_t number = static_cast<std::uint32_t>(i);
    const std::int64_t channel = std::int64_t{index.groups.split(number)} * width;
    std::uint32_t x = index.columns.split(number), row = index.rows.split(number);
    const std::uint32_t s = pool.split(x), r = pool.split(row);  // leaves the window's place
    const int here = static_cast<int>(r) * g.pool + static_cast<int>(s);
    Pack<T, width> out;
#pragma unroll
    for (int j = 0; j < width; ++j) out.at[j] = narrow<T>(0.0f);
    if (static_cast<int>(row) < g.h && static_cast<int>(x) < g.w) {
      const std::int64_t output = ((std::int64_t{number} * g.h + row) * g.w + x) * g.k + channel;
#pragma unroll
      for (int j = 0; j < width; ++j) {
        int place;
        const float d = gradient(output + j, place);
        if (place == here) out.at[j] = narrow<T>(d);
      }
    }
    store_pack<T, width>(dz + i * width, out);
  }
}

template <class T>
struct BiasGradient {
  PooledGradient<T> gradient;
  std::int64_t k;
  __device__ Sums<1> operator()(std::uint32_t channel, std::uint32_t pixel) const {
    int place;
    return {{gradient(pixel * k + channel, place)}};
  }
};
struct WriteBias {
  float* dbias;
  __device__ void operator()(std::uint32_t channel, const Sums<1>& sums) const {
    dbias[channel] = sums.at[0];
  }
};

// Bias, ReLU and dropout of a dense layer's sums.
template <class T>
struct StoreLinearBlock {
  T* y;
  const float* bias;
  std::uint32_t out;
  RandomKey key;
  std::uint32_t threshold;
  float scale;
  __device__ void operator()(std::uint32_t, std::uint32_t row, std::uint32_t column, float sum) const {
    const std::int64_t i = std::int64_t{row} * out + column;
    if (bias) sum += bias[column];
    const bool kept =
        threshold == 0 || random_bits(key, resolved_step(key), static_cast<std::uint64_t>(i)) >= threshold;
    y[i] = narrow<T>(!kept || sum <= 0 ? 0.0f : sum * scale);
  }
};
struct LinearBlockGradient {
  float scale;
  __device__ float operator()(float y, float dy) const { return y > 0 ? dy * scale : 0.0f; }
};

template <class T>
void pool_block(Cuda device, const ConvBlockShape& s, const T* z, const Master<T>* bias, T* y,
                std::uint8_t* mask) {
  const std::int64_t n = pooled_size(s);
  if (n == 0) return;
  const bool wide = s.conv.k % 4 == 0 && aligned<4>(z, y);
  checked_items("conv_block", n);
  launch(device, wide ? pool_kernel<T, 4> : pool_kernel<T, 1>, blocks_for(divide_up(n, 4)), block_threads,
         Windows(s), GroupIndex(s.conv.k, wide ? 4 : 1, s.out_w(), s.out_h()), n, s.key,
         drop_threshold(s.rate), keep_scale(s.rate), MaskLayout(s.pool), z, bias, y, mask);
}

template <class T>
void unpool_block(Cuda device, const ConvBlockShape& s, const std::uint8_t* mask, const T* dy, T* dz) {
  const std::int64_t n = full_size(s);
  if (n == 0) return;
  const int width = s.conv.k % 4 == 0 ? 4 : 1;  // dz is scratch memory, aligned
  launch(device, width == 4 ? unpool_kernel<T, 4> : unpool_kernel<T, 1>, blocks_for(n / width), block_threads,
         Windows(s), GroupIndex(s.conv.k, width, s.conv.out_w(), s.conv.out_h()), Divisor(s.pool),
         checked_items("conv_block", n / width), PooledGradient<T>(s, mask, dy), dz);
}

}  // namespace

std::int64_t conv_block_mask_bytes(Cuda, const ConvBlockShape& shape) {
  return MaskLayout(shape.pool).bytes(pooled_size(shape));
}

template <class T>
void conv_block_forward(Cuda device, const ConvBlockShape& shape, const T* x, const T* filters,
                        const Master<T>* bias, T* y, std::uint8_t* mask) {
  if (is_first_layer(shape)) return first_layer_forward(device, shape, x, filters, bias, y, mask);
  const Scratch<T> z(device, full_size(shape));
  conv2d_forward(device, shape.conv, x, filters, static_cast<const Master<T>*>(nullptr), z.data());
  pool_block<T>(device, shape, z.data(), bias, y, mask);
}

template <class T>
void conv_block_backward(Cuda device, const ConvBlockShape& shape, const T* x, const T* filters,
                         const std::uint8_t* mask, const T* dy, T* dx, Master<T>* dfilters,
                         Master<T>* dbias) {
  if (!dx && is_first_layer(shape)) return first_layer_backward(device, shape, x, mask, dy, dfilters, dbias);
  const Scratch<T> dz(device, full_size(shape));
  unpool_block<T>(device, shape, mask, dy, dz.data());
  if (dx) conv2d_backward_data<T>(device, shape.conv, dz.data(), filters, dx);
  conv2d_backward_weights<T>(device, shape.conv, x, dz.data(), dfilters, nullptr);
  if (dbias) {
    sum_over<1>(device, "conv_block", shape.conv.k, shape.conv.n * shape.out_h() * shape.out_w(), true,
                BiasGradient<T>{PooledGradient<T>(shape, mask, dy), shape.conv.k}, WriteBias{dbias});
  }
}

template <class T>
void linear_block_forward(Cuda device, const LinearBlockShape& shape, const T* x, const T* w,
                          const Master<T>* bias, T* y) {
  const LinearShape& s = shape.linear;
  gemm(device, 1, s.rows, s.out, s.in, matrix(x, s.rows, s.in, false), matrix(w, s.out, s.in, false),
       StoreLinearBlock<T>{y, bias, checked_items("linear_block", s.out), shape.key,
                           drop_threshold(shape.rate), keep_scale(shape.rate)});
}

template <class T>
void linear_block_backward(Cuda device, const LinearBlockShape& shape, const T* x, const T* w, const T* y,
                           const T* dy, T* dx, Master<T>* dw, Master<T>* dbias) {
  const std::int64_t n = shape.linear.rows * shape.linear.out;
  const Scratch<T> dz(device, n);
  map(device, LinearBlockGradient{keep_scale(shape.rate)}, n, dz.data(), y, dy);
  if (dx) linear_backward_data<T>(device, shape.linear, dz.data(), w, dx);
  linear_backward_weights<T>(device, shape.linear, x, dz.data(), dw, dbias);
}

#define ROENTGEN_INSTANTIATE(T)                                                                              \
  template void conv_block_forward(Cuda, const ConvBlockShape&, const T*, const T*, const Master<T>*, T*,    \
                                   std::uint8_t*);                                                           \
  template void conv_block_backward(Cuda, const ConvBlockShape&, const T*, const T*, const std::uint8_t*,    \
                                    const T*, T*, Master<T>*, Master<T>*);                                   \
  template void linear_block_forward(Cuda, const LinearBlockShape&, const T*, const T*, const Master<T>*,    \
                                     T*);                                                                    \
  template void linear_block_backward(Cuda, const LinearBlockShape&, const T*, const T*, const T*, const T*, \
                                      T*, Master<T>*, Master<T>*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

// A lane of a warp stands for a filter, a warp walks over pooled pixels. Their input lies in shared memory:
// four rows for a row of pooled pixels.
#include "kernels/cuda/first_layer.h"

#include "kernels/cuda/mask.h"
#include "kernels/cuda/reduction.h"

namespace roentgen::kernels {
namespace {

constexpr int channels = 3, taps = 27, pool = 2, warps = block_threads / 32;
constexpr int segment = 64;  // pooled pixels of a row that a block works on
constexpr int strip_rows = 4, strip_columns = 2 * segment + 2;
constexpr unsigned full_warp = 0xFFFFFFFFu;

struct FirstLayer {
  int h, w, out_h, out_w, pad_h, pad_w;  // out: pooled
  std::int64_t k;
  std::int64_t segments, jobs;  // of a pooled row; of all images

  explicit FirstLayer(const ConvBlockShape& s)
      : h(static_cast<int>(s.conv.h)),
        w(static_cast<int>(s.conv.w)),
        out_h(static_cast<int>(s.out_h())),
        out_w(static_cast<int>(s.out_w())),
        pad_h(static_cast<int>(s.conv.pad_h)),
        pad_w(static_cast<int>(s.conv.pad_w)),
        k(s.conv.k),
        segments(divide_up(s.out_w(), segment)),
        jobs(s.conv.n * s.out_h() * segments) {}
};

// A segment of a pooled row.
struct Job {
  std::int64_t image, first_pixel;  // number of the segment's first pooled pixel in [n, out_h, out_w]
  int row, column, count;

  __device__ Job(const FirstLayer& g, std::int64_t number) {
    column = static_cast<int>(number % g.segments) * segment;
    row = static_cast<int>(number / g.segments % g.out_h);
    image = number / g.segments / g.out_h;
    first_pixel = (image * g.out_h + row) * g.out_w + column;
    count = min(segment, g.out_w - column);
  }
};

struct alignas(16) Strip {
  float at[strip_rows][strip_columns * channels];
};

// The input under a segment, zero outside the image. Ends with a barrier.
template <class T>
__device__ void load_strip(const FirstLayer& g, const Job& job, const T* x, Strip& strip) {
  const int width = (2 * job.count + 2) * channels;
  for (int i = static_cast<int>(threadIdx.x); i < strip_rows * width; i += block_threads) {
    const int row = i / width, at = i % width;
    const int iy = pool * job.row - g.pad_h + row, ix = pool * job.column - g.pad_w + at / channels;
    const bool inside = iy >= 0 && iy < g.h && ix >= 0 && ix < g.w;
    strip.at[row][at] =
        inside ? widen(x[((job.image * g.h + iy) * g.w + ix) * channels + at % channels]) : 0.0f;
  }
  __syncthreads();
}

// The four sums of a pooled pixel's window.
__device__ __forceinline__ void convolve(const Strip& strip, int pixel, const float (&filter)[taps],
                                         float (&sums)[4]) {
#pragma unroll
  for (int row = 0; row < strip_rows; ++row) {
    float line[4 * channels];  // four input pixels
#pragma unroll
    for (int i = 0; i < 4 * channels; i += 2) {
      const auto two = load_pack<float, 2>(&strip.at[row][pool * pixel * channels + i]);
      line[i] = two.at[0];
      line[i + 1] = two.at[1];
    }
#pragma unroll
    for (int place = 0; place < 4; ++place) {
      const int r = row - place / 2;
      if (r < 0 || r > 2) continue;
#pragma unroll
      for (int i = 0; i < 3 * channels; ++i)
        sums[place] = fmaf(filter[r * 3 * channels + i], line[place % 2 * channels + i], sums[place]);
    }
  }
}

// Grid (jobs, filters / 32).
template <class T>
__global__ void __launch_bounds__(block_threads)
    forward_kernel(FirstLayer g, RandomKey key, std::uint32_t threshold, float scale, const T* x,
                   const T* filters, const float* bias, T* y, std::uint8_t* mask) {
  struct Shared {
    Strip strip;
    std::uint32_t random[warps][4 * 32];  // for four pixels and 32 filters
  };
  Shared& s = shared<Shared>();
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const std::int64_t first_filter = std::int64_t{blockIdx.y} * 32, filter_number = first_filter + lane;
  const Job job(g, blockIdx.x);
  const std::uint32_t step = resolved_step(key);
  float filter[taps];
#pragma unroll
  for (int i = 0; i < taps; ++i) filter[i] = widen(filters[filter_number * taps + i]);
  const float shift = bias ? bias[filter_number] : 0.0f;
  load_strip(g, job, x, s.strip);

  // Four pixels of a warp together: that is a block of random numbers for each lane.
  for (int base = warp * 4; base < segment; base += warps * 4) {
    if (threshold > 0) {
      const std::int64_t element = (job.first_pixel + base + lane / 8) * g.k + first_filter + lane % 8 * 4;
      const Philox4 numbers = random_block(key, step, static_cast<std::uint64_t>(element / 4));
      std::uint32_t* to = &s.random[warp][lane * 4];
      to[0] = numbers.x;
      to[1] = numbers.y;
      to[2] = numbers.z;
      to[3] = numbers.w;
    }
    __syncwarp();
    for (int q = 0; q < 4; ++q) {
      const int pixel = base + q;
      if (pixel >= job.count) break;  // the same for the whole warp
      float sums[4] = {};
      convolve(s.strip, pixel, filter, sums);
      float best = sums[0] + shift;
      int place = 0;
#pragma unroll
      for (int i = 1; i < 4; ++i) {
        const float value = sums[i] + shift;
        if (value > best || (value != value && best == best)) {
          best = value;
          place = i;
        }
      }
      const bool kept = threshold == 0 || s.random[warp][q * 32 + lane] >= threshold;
      const std::int64_t element = (job.first_pixel + pixel) * g.k + filter_number;
      y[element] = narrow<T>(!kept || best <= 0 ? 0.0f : best * scale);
      if (mask) {
        const int mine = kept && best > 0 ? place : 15;
        const int next = __shfl_down_sync(full_warp, mine, 1);
        if (lane % 2 == 0) mask[element / 2] = static_cast<std::uint8_t>(mine | next << 4);
      }
    }
    __syncwarp();  // before the numbers are overwritten
  }
}

constexpr int values = taps + 1;  // the taps' gradients and the bias'

// Grid (parts, filters / 32): block x sums over every parts-th job. partial [parts, values, k].
template <class T>
__global__ void __launch_bounds__(block_threads)
    backward_kernel(FirstLayer g, PooledGradient<T> gradient, const T* x, float* partial) {
  struct Shared {
    Strip strip;
    float sums[warps][values][32];
  };
  Shared& s = shared<Shared>();
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const std::int64_t first_filter = std::int64_t{blockIdx.y} * 32;
  float sums[values] = {};
  for (std::int64_t number = blockIdx.x; number < g.jobs; number += gridDim.x) {
    const Job job(g, number);
    __syncthreads();  // the last strip has been used
    load_strip(g, job, x, s.strip);
    for (int pixel = warp; pixel < job.count; pixel += warps) {
      int place;
      const float d = gradient((job.first_pixel + pixel) * g.k + first_filter + lane, place);
      if (d == 0) continue;
      const int row = place / 2 % 2, at = (pool * pixel + place % 2) * channels;
#pragma unroll
      for (int r = 0; r < 3; ++r)
#pragma unroll
        for (int i = 0; i < 3 * channels; ++i)
          sums[r * 3 * channels + i] = fmaf(d, s.strip.at[row + r][at + i], sums[r * 3 * channels + i]);
      sums[taps] += d;
    }
  }
#pragma unroll
  for (int i = 0; i < values; ++i) s.sums[warp][i][lane] = sums[i];
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < values * 32; i += block_threads) {
    float sum = 0;
    for (int w = 0; w < warps; ++w) sum += s.sums[w][i / 32][i % 32];
    partial[(std::int64_t{blockIdx.x} * values + i / 32) * g.k + first_filter + i % 32] = sum;
  }
}

struct Partial {
  const float* partial;
  std::int64_t size;
  __device__ Sums<1> operator()(std::uint32_t result, std::uint32_t part) const {
    return {{partial[part * size + result]}};
  }
};
struct WriteGradients {
  std::int64_t k;
  float *dfilters, *dbias;
  __device__ void operator()(std::uint32_t result, const Sums<1>& sums) const {
    const std::int64_t tap = result / k, filter = result % k;
    if (tap < taps)
      dfilters[filter * taps + tap] = sums.at[0];
    else if (dbias)
      dbias[filter] = sums.at[0];
  }
};

}  // namespace

bool is_first_layer(const ConvBlockShape& shape) {
  const Conv2dShape& c = shape.conv;
  return c.c == channels && c.r == 3 && c.s == 3 && c.stride_h == 1 && c.stride_w == 1 && c.dilation_h == 1 &&
         c.dilation_w == 1 && shape.pool == pool && c.k > 0 && c.k % 32 == 0;
}

template <class T>
void first_layer_forward(Cuda device, const ConvBlockShape& shape, const T* x, const T* filters,
                         const Master<T>* bias, T* y, std::uint8_t* mask) {
  const FirstLayer g(shape);
  if (g.jobs == 0) return;
  launch(device, forward_kernel<T>,
         dim3(checked_items("conv_block", g.jobs), static_cast<unsigned>(g.k / 32)), block_threads, g,
         shape.key, drop_threshold(shape.rate), keep_scale(shape.rate), x, filters, bias, y, mask);
}

template <class T>
void first_layer_backward(Cuda device, const ConvBlockShape& shape, const T* x, const std::uint8_t* mask,
                          const T* dy, Master<T>* dfilters, Master<T>* dbias) {
  const FirstLayer g(shape);
  const std::int64_t parts = std::clamp<std::int64_t>(g.jobs, 1, 512), size = values * g.k;
  const Scratch<float> partial(device, parts * size);
  launch(device, backward_kernel<T>, dim3(static_cast<unsigned>(parts), static_cast<unsigned>(g.k / 32)),
         block_threads, g, PooledGradient<T>(shape, mask, dy), x, partial.data());
  sum_over<1>(device, "conv_block", size, parts, true, Partial{partial.data(), size},
              WriteGradients{g.k, dfilters, dbias});
}

#define ROENTGEN_INSTANTIATE(T)                                                                            \
  template void first_layer_forward(Cuda, const ConvBlockShape&, const T*, const T*, const Master<T>*, T*, \
                                    std::uint8_t*);                                                        \
  template void first_layer_backward(Cuda, const ConvBlockShape&, const T*, const std::uint8_t*, const T*, \
                                     Master<T>*, Master<T>*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

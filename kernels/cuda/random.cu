// One thread for each block of Philox, that is for four neighbouring elements.
#include "kernels/random.h"

#include "kernels/cuda/numeric.h"

namespace roentgen::kernels {
namespace {

constexpr int per_block = 4;

__device__ __forceinline__ void draw(const RandomKey& key, std::uint32_t step, std::int64_t block,
                                     std::uint32_t (&bits)[per_block]) {
  const Philox4 numbers = random_block(key, step, static_cast<std::uint64_t>(block));
  bits[0] = numbers.x;
  bits[1] = numbers.y;
  bits[2] = numbers.z;
  bits[3] = numbers.w;
}

// f(bits, value) -> value for four elements at a time; x null: the values are 0. `wide`: as packs.
template <class T, bool wide, class F>
__global__ void __launch_bounds__(block_threads)
    random_kernel(F f, std::int64_t n, RandomKey key, const T* x, T* y) {
  const std::uint32_t step = resolved_step(key);
  for (std::int64_t block = thread_number(); block * per_block < n; block += thread_count()) {
    const std::int64_t first = block * per_block;
    std::uint32_t bits[per_block];
    float values[per_block] = {};
    draw(key, step, block, bits);
    if (wide && first + per_block <= n) {
      Pack<T, per_block> pack{};
      if (x) pack = load_pack<T, per_block>(x + first);
      for (int j = 0; j < per_block; ++j) values[j] = widen(pack.at[j]);
      f(bits, values);
      for (int j = 0; j < per_block; ++j) pack.at[j] = narrow<T>(values[j]);
      store_pack<T, per_block>(y + first, pack);
    } else {
      for (int j = 0; j < per_block; ++j)
        if (x && first + j < n) values[j] = widen(x[first + j]);
      f(bits, values);
      for (int j = 0; j < per_block; ++j)
        if (first + j < n) y[first + j] = narrow<T>(values[j]);
    }
  }
}

template <class T, class F>
void run(Cuda device, F f, std::int64_t n, const RandomKey& key, const T* x, T* y) {
  if (n == 0) return;
  const auto kernel = aligned<per_block>(x, y) ? random_kernel<T, true, F> : random_kernel<T, false, F>;
  launch(device, kernel, blocks_for(divide_up(n, per_block)), block_threads, f, n, key, x, y);
}

struct Drop {
  std::uint32_t threshold;
  float scale;
  __device__ void operator()(const std::uint32_t (&bits)[per_block], float (&values)[per_block]) const {
    for (int j = 0; j < per_block; ++j) values[j] = bits[j] >= threshold ? values[j] * scale : 0.0f;
  }
};

struct Uniform {
  float low, range;
  __device__ void operator()(const std::uint32_t (&bits)[per_block], float (&values)[per_block]) const {
    for (int j = 0; j < per_block; ++j) values[j] = fmaf(range, to_uniform(bits[j]), low);
  }
};

struct Normal {
  float mean, deviation;

  // sqrt(-2 log u) with u = (bits + 1/2) / 2^32, which is never 0; near 1 from 1 - u, which float holds
  // better.
  __device__ static float radius(std::uint32_t bits) {
    const float u = (static_cast<float>(bits) + 0.5f) * 0x1p-32f;
    const float rest = (static_cast<float>(~bits) + 0.5f) * 0x1p-32f;
    return sqrtf(-2.0f * (u < 0.5f ? logf(u) : log1pf(-rest)));
  }
  __device__ void operator()(const std::uint32_t (&bits)[per_block], float (&values)[per_block]) const {
    for (int j = 0; j < per_block; j += 2) {
      const float length = deviation * radius(bits[j]);
      float sine, cosine;
      sincospif(static_cast<float>(bits[j + 1]) * 0x1p-31f, &sine, &cosine);
      values[j] = fmaf(length, cosine, mean);
      values[j + 1] = fmaf(length, sine, mean);
    }
  }
};

}  // namespace

template <class T>
void dropout(Cuda device, const T* x, T* y, std::int64_t n, float rate, const RandomKey& key) {
  run(device, Drop{drop_threshold(rate), static_cast<float>(1.0 / (1.0 - static_cast<double>(rate)))}, n, key,
      x, y);
}
template <class T>
void random_uniform(Cuda device, T* y, std::int64_t n, double low, double high, const RandomKey& key) {
  run(device, Uniform{static_cast<float>(low), static_cast<float>(high - low)}, n, key,
      static_cast<const T*>(nullptr), y);
}
template <class T>
void random_normal(Cuda device, T* y, std::int64_t n, double mean, double deviation, const RandomKey& key) {
  run(device, Normal{static_cast<float>(mean), static_cast<float>(deviation)}, n, key,
      static_cast<const T*>(nullptr), y);
}

#define ROENTGEN_INSTANTIATE(T)                                                           \
  template void dropout(Cuda, const T*, T*, std::int64_t, float, const RandomKey&);       \
  template void random_uniform(Cuda, T*, std::int64_t, double, double, const RandomKey&); \
  template void random_normal(Cuda, T*, std::int64_t, double, double, const RandomKey&);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

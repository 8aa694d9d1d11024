#include "kernels/random.h"

#include <algorithm>
#include <cmath>

#include "kernels/cpu/dropout_mask.h"
#include "kernels/cpu/parallel.h"

namespace roentgen::kernels {
namespace {

constexpr std::int64_t grain = 1 << 14;
constexpr std::int64_t chunk = 1 << 10;  // numbers drawn at a time into the stack; a multiple of 4

// y[i] = f(bits of element i, i odd's partner included): f sees chunk-wise bits and writes n elements.
template <class F>
void for_each_chunk(const RandomKey& key, std::int64_t n, F f) {
  const std::uint32_t step = resolved_step(key);
  parallel_ranges(n, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; i += chunk) {
      std::uint32_t bits[chunk];
      const std::int64_t count = std::min(chunk, end - i);
      // To an even number, since normal numbers are made in pairs.
      fill_random_bits(key, step, static_cast<std::uint64_t>(i), count + count % 2, bits);
      f(i, count, static_cast<const std::uint32_t*>(bits));
    }
  });
}

}  // namespace

template <class T>
void dropout(Cpu, const T* x, T* y, std::int64_t n, float rate, const RandomKey& key) {
  const std::uint32_t step = resolved_step(key), threshold = drop_threshold(rate);
  const float factor = static_cast<float>(1.0 / (1.0 - static_cast<double>(rate)));
  parallel_ranges(n, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; i += chunk) {
      std::uint8_t keep[chunk];
      const std::int64_t count = std::min(chunk, end - i);
      keep_mask(key, step, static_cast<std::uint64_t>(i), count, threshold, keep);
      const float by = factor;
      if (x == y) {
        T* __restrict out = y + i;
        for (std::int64_t j = 0; j < count; ++j)
          out[j] = static_cast<T>(keep[j] ? static_cast<float>(out[j]) * by : 0.0f);
      } else {
        const T* __restrict in = x + i;
        T* __restrict out = y + i;
        for (std::int64_t j = 0; j < count; ++j)
          out[j] = static_cast<T>(keep[j] ? static_cast<float>(in[j]) * by : 0.0f);
      }
    }
  });
}

// In double, so that every device initialises a network with the same weights.
template <class T>
void random_uniform(Cpu, T* y, std::int64_t n, double low, double high, const RandomKey& key) {
  const double span = high - low;
  for_each_chunk(key, n, [=](std::int64_t begin, std::int64_t count, const std::uint32_t* bits) {
    for (std::int64_t j = 0; j < count; ++j)
      y[begin + j] = static_cast<T>(low + span * static_cast<double>(to_uniform(bits[j])));
  });
}

template <class T>
void random_normal(Cpu, T* y, std::int64_t n, double mean, double deviation, const RandomKey& key) {
  for_each_chunk(key, n, [=](std::int64_t begin, std::int64_t count, const std::uint32_t* bits) {
    for (std::int64_t j = 0; j < count; j += 2) {
      const double radius = deviation * std::sqrt(-2 * std::log((bits[j] + 0.5) * 0x1p-32));
      const double angle = 6.28318530717958647693 * (bits[j + 1] * 0x1p-32);
      y[begin + j] = static_cast<T>(mean + radius * std::cos(angle));
      if (j + 1 < count) y[begin + j + 1] = static_cast<T>(mean + radius * std::sin(angle));
    }
  });
}

#define ROENTGEN_INSTANTIATE(T)                                                          \
  template void dropout(Cpu, const T*, T*, std::int64_t, float, const RandomKey&);       \
  template void random_uniform(Cpu, T*, std::int64_t, double, double, const RandomKey&); \
  template void random_normal(Cpu, T*, std::int64_t, double, double, const RandomKey&);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

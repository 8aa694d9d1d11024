#include "kernels/random.h"

#include <cmath>

namespace roentgen::kernels {

template <class T>
void dropout(Reference, const T* x, T* y, std::int64_t n, float rate, const RandomKey& key) {
  const std::uint32_t step = resolved_step(key), threshold = drop_threshold(rate);
  for (std::int64_t i = 0; i < n; ++i) {
    const bool kept = random_bits(key, step, static_cast<std::uint64_t>(i)) >= threshold;
    y[i] = static_cast<T>(kept ? static_cast<double>(x[i]) / (1.0 - static_cast<double>(rate)) : 0.0);
  }
}

template <class T>
void random_uniform(Reference, T* y, std::int64_t n, double low, double high, const RandomKey& key) {
  const std::uint32_t step = resolved_step(key);
  for (std::int64_t i = 0; i < n; ++i) {
    const double u = to_uniform(random_bits(key, step, static_cast<std::uint64_t>(i)));
    y[i] = static_cast<T>(low + (high - low) * u);
  }
}

// Elements 2j and 2j + 1 are r cos a and r sin a, where r comes from number 2j and a from number 2j + 1. Half
// a step is added below the logarithm, so that it never sees 0.
template <class T>
void random_normal(Reference, T* y, std::int64_t n, double mean, double deviation, const RandomKey& key) {
  const std::uint32_t step = resolved_step(key);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto first = static_cast<std::uint64_t>(i) & ~std::uint64_t{1};
    const double u = (random_bits(key, step, first) + 0.5) * 0x1p-32;
    const double angle = 2 * 3.14159265358979323846 * (random_bits(key, step, first + 1) * 0x1p-32);
    const double radius = std::sqrt(-2 * std::log(u));
    y[i] = static_cast<T>(mean + deviation * radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle)));
  }
}

#define ROENTGEN_INSTANTIATE(T)                                                                \
  template void dropout(Reference, const T*, T*, std::int64_t, float, const RandomKey&);       \
  template void random_uniform(Reference, T*, std::int64_t, double, double, const RandomKey&); \
  template void random_normal(Reference, T*, std::int64_t, double, double, const RandomKey&);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(double)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

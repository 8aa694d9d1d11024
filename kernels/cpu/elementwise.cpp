#include "kernels/elementwise.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <type_traits>

#include "kernels/cpu/parallel.h"

namespace roentgen::kernels {
namespace {

constexpr std::int64_t grain = 1 << 14;  // elements a task takes: 64 KB of float

// y[i] = f(x[i]) in float. Apart from each other or the very same memory: either way the compiler is shown
// that nothing else overlaps, and vectorises. f is copied, lest y might overlap what it captured.
template <class From, class To, class F>
void map(const From* x, To* y, std::int64_t n, F f) {
  parallel_ranges(n, grain, [=](std::int64_t begin, std::int64_t end) {
    const F g = f;
    if (static_cast<const void*>(x) == static_cast<void*>(y)) {
      if constexpr (std::is_same_v<From, To>)
        for (std::int64_t i = begin; i < end; ++i) y[i] = static_cast<To>(g(static_cast<float>(y[i])));
    } else {
      const From* __restrict in = x;
      To* __restrict out = y;
      for (std::int64_t i = begin; i < end; ++i) out[i] = static_cast<To>(g(static_cast<float>(in[i])));
    }
  });
}

// y[i] = f(a[i], b[i]) in float; y may be a or b.
template <class T, class F>
void map(const T* a, const T* b, T* y, std::int64_t n, F f) {
  parallel_ranges(n, grain, [=](std::int64_t begin, std::int64_t end) {
    const F g = f;
    if (y == a) {
      const T* __restrict right = b;
      T* __restrict out = y;
      for (std::int64_t i = begin; i < end; ++i)
        out[i] = static_cast<T>(g(static_cast<float>(out[i]), static_cast<float>(right[i])));
    } else if (y == b) {
      const T* __restrict left = a;
      T* __restrict out = y;
      for (std::int64_t i = begin; i < end; ++i)
        out[i] = static_cast<T>(g(static_cast<float>(left[i]), static_cast<float>(out[i])));
    } else {
      const T* __restrict left = a, * __restrict right = b;
      T* __restrict out = y;
      for (std::int64_t i = begin; i < end; ++i)
        out[i] = static_cast<T>(g(static_cast<float>(left[i]), static_cast<float>(right[i])));
    }
  });
}

}  // namespace

// NaN passes.
template <class T>
void relu_forward(Cpu, const T* x, T* y, std::int64_t n) {
  map(x, y, n, [](float v) { return v <= 0 ? 0.0f : v; });
}

template <class T>
void relu_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t n) {
  map(y, dy, dx, n, [](float v, float d) { return v > 0 ? d : 0.0f; });
}

template <class T>
void leaky_relu_forward(Cpu, const T* x, T* y, std::int64_t n, double slope) {
  const float factor = static_cast<float>(slope);
  map(x, y, n, [=](float v) { return v > 0 ? v : factor * v; });
}

template <class T>
void leaky_relu_backward(Cpu, const T* x, const T* dy, T* dx, std::int64_t n, double slope) {
  const float factor = static_cast<float>(slope);
  map(x, dy, dx, n, [=](float v, float d) { return v > 0 ? d : factor * d; });
}

template <class T>
void sigmoid_forward(Cpu, const T* x, T* y, std::int64_t n) {
  map(x, y, n, [](float v) { return 1 / (1 + std::exp(-v)); });
}

template <class T>
void sigmoid_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t n) {
  map(y, dy, dx, n, [](float v, float d) { return d * v * (1 - v); });
}

template <class T>
void tanh_forward(Cpu, const T* x, T* y, std::int64_t n) {
  map(x, y, n, [](float v) { return std::tanh(v); });
}

template <class T>
void tanh_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t n) {
  // As a product: 1 - v * v would lose the digits of 1 - v near 1.
  map(y, dy, dx, n, [](float v, float d) { return d * ((1 - v) * (1 + v)); });
}

namespace {

float normal_cdf(float x) {
  return 0.5f * std::erfc(-0.70710678118654752440f * x);
}

}  // namespace

template <class T>
void gelu_forward(Cpu, const T* x, T* y, std::int64_t n) {
  map(x, y, n, [](float v) { return v * normal_cdf(v); });
}

template <class T>
void gelu_backward(Cpu, const T* x, const T* dy, T* dx, std::int64_t n) {
  const float inverse_root_2pi = 0.39894228040143267794f;
  map(x, dy, dx, n,
      [=](float v, float d) { return d * (normal_cdf(v) + v * inverse_root_2pi * std::exp(-0.5f * v * v)); });
}

template <class T>
void scale(Cpu, const T* x, T* y, std::int64_t n, double factor) {
  const float by = static_cast<float>(factor);
  map(x, y, n, [=](float v) { return by * v; });
}

template <class T>
void clamp(Cpu, const T* x, T* y, std::int64_t n, double low, double high) {
  const float bottom = static_cast<float>(low), top = static_cast<float>(high);
  map(x, y, n, [=](float v) { return v < bottom ? bottom : v > top ? top : v; });
}

template <class T>
void fill(Cpu, T* y, std::int64_t n, double value) {
  const T to = static_cast<T>(value);
  parallel_ranges(n, grain, [=](std::int64_t begin, std::int64_t end) { std::fill(y + begin, y + end, to); });
}

template <class T>
void accumulate(Cpu, const T* x, T* sum, std::int64_t n) {
  map(sum, x, sum, n, [](float a, float b) { return a + b; });
}

template <class From, class To>
void cast(Cpu, const From* x, To* y, std::int64_t n) {
  map(x, y, n, [](float v) { return v; });
}

template <class T>
std::int64_t first_nonfinite(Cpu, const T* x, std::int64_t n) {
  const auto nonfinite = [](T v) {
    return (std::bit_cast<std::uint32_t>(static_cast<float>(v)) & 0x7F800000u) == 0x7F800000u;
  };
  std::atomic<std::int64_t> first = n;
  parallel_ranges(n, grain, [&](std::int64_t begin, std::int64_t end) {
    if (begin >= first.load(std::memory_order_relaxed)) return;
    std::uint32_t any = 0;  // a whole range at once: a loop that leaves early does not vectorise
    for (std::int64_t i = begin; i < end; ++i) any |= nonfinite(x[i]);
    if (!any) return;
    const std::int64_t found = std::find_if(x + begin, x + end, nonfinite) - x;
    std::int64_t before = first.load(std::memory_order_relaxed);
    while (found < before && !first.compare_exchange_weak(before, found, std::memory_order_relaxed)) {
    }
  });
  return first < n ? first.load() : -1;
}

#define ROENTGEN_INSTANTIATE(T)                                                         \
  template void relu_forward(Cpu, const T*, T*, std::int64_t);                          \
  template void relu_backward(Cpu, const T*, const T*, T*, std::int64_t);               \
  template void leaky_relu_forward(Cpu, const T*, T*, std::int64_t, double);            \
  template void leaky_relu_backward(Cpu, const T*, const T*, T*, std::int64_t, double); \
  template void sigmoid_forward(Cpu, const T*, T*, std::int64_t);                       \
  template void sigmoid_backward(Cpu, const T*, const T*, T*, std::int64_t);            \
  template void tanh_forward(Cpu, const T*, T*, std::int64_t);                          \
  template void tanh_backward(Cpu, const T*, const T*, T*, std::int64_t);               \
  template void gelu_forward(Cpu, const T*, T*, std::int64_t);                          \
  template void gelu_backward(Cpu, const T*, const T*, T*, std::int64_t);               \
  template void scale(Cpu, const T*, T*, std::int64_t, double);                         \
  template void clamp(Cpu, const T*, T*, std::int64_t, double, double);                 \
  template void fill(Cpu, T*, std::int64_t, double);                                    \
  template void accumulate(Cpu, const T*, T*, std::int64_t);                            \
  template void cast(Cpu, const T*, float*, std::int64_t);                              \
  template void cast(Cpu, const T*, bfloat16*, std::int64_t);                           \
  template std::int64_t first_nonfinite(Cpu, const T*, std::int64_t);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

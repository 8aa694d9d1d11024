#include "kernels/elementwise.h"

#include <cmath>

namespace roentgen::kernels {
namespace {

// y[i] = f(x[i]), in double.
template <class T, class F>
void map(const T* x, T* y, std::int64_t n, F f) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(f(static_cast<double>(x[i])));
}

// y[i] = f(a[i], b[i]), in double.
template <class T, class F>
void map(const T* a, const T* b, T* y, std::int64_t n, F f) {
  for (std::int64_t i = 0; i < n; ++i)
    y[i] = static_cast<T>(f(static_cast<double>(a[i]), static_cast<double>(b[i])));
}

}  // namespace

// Written so that NaN passes: a network that went wrong must show it.
template <class T>
void relu_forward(Reference, const T* x, T* y, std::int64_t n) {
  map(x, y, n, [](double v) { return v <= 0 ? 0.0 : v; });
}

template <class T>
void relu_backward(Reference, const T* y, const T* dy, T* dx, std::int64_t n) {
  map(y, dy, dx, n, [](double v, double d) { return v > 0 ? d : 0.0; });
}

template <class T>
void leaky_relu_forward(Reference, const T* x, T* y, std::int64_t n, double slope) {
  map(x, y, n, [=](double v) { return v > 0 ? v : slope * v; });
}

template <class T>
void leaky_relu_backward(Reference, const T* x, const T* dy, T* dx, std::int64_t n, double slope) {
  map(x, dy, dx, n, [=](double v, double d) { return v > 0 ? d : slope * d; });
}

template <class T>
void sigmoid_forward(Reference, const T* x, T* y, std::int64_t n) {
  map(x, y, n, [](double v) { return 1 / (1 + std::exp(-v)); });
}

template <class T>
void sigmoid_backward(Reference, const T* y, const T* dy, T* dx, std::int64_t n) {
  map(y, dy, dx, n, [](double v, double d) { return d * v * (1 - v); });
}

template <class T>
void tanh_forward(Reference, const T* x, T* y, std::int64_t n) {
  map(x, y, n, [](double v) { return std::tanh(v); });
}

template <class T>
void tanh_backward(Reference, const T* y, const T* dy, T* dx, std::int64_t n) {
  map(y, dy, dx, n, [](double v, double d) { return d * (1 - v * v); });
}

namespace {

// Phi(x), the normal distribution function; erfc keeps its digits far down the left tail.
double normal_cdf(double x) {
  return 0.5 * std::erfc(-x * std::sqrt(0.5));
}

}  // namespace

template <class T>
void gelu_forward(Reference, const T* x, T* y, std::int64_t n) {
  map(x, y, n, [](double v) { return v * normal_cdf(v); });
}

template <class T>
void gelu_backward(Reference, const T* x, const T* dy, T* dx, std::int64_t n) {
  const double inverse_root_2pi = 0.39894228040143267794;
  map(x, dy, dx, n, [=](double v, double d) {
    return d * (normal_cdf(v) + v * inverse_root_2pi * std::exp(-0.5 * v * v));
  });
}

template <class T>
void scale(Reference, const T* x, T* y, std::int64_t n, double factor) {
  map(x, y, n, [=](double v) { return factor * v; });
}

template <class T>
void clamp(Reference, const T* x, T* y, std::int64_t n, double low, double high) {
  map(x, y, n, [=](double v) { return v < low ? low : v > high ? high : v; });
}

template <class T>
void fill(Reference, T* y, std::int64_t n, double value) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(value);
}

template <class T>
void accumulate(Reference, const T* x, T* sum, std::int64_t n) {
  map(sum, x, sum, n, [](double a, double b) { return a + b; });
}

template <class From, class To>
void cast(Reference, const From* x, To* y, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<To>(static_cast<double>(x[i]));
}

template <class T>
std::int64_t first_nonfinite(Reference, const T* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i)
    if (!std::isfinite(static_cast<double>(x[i]))) return i;
  return -1;
}

#define ROENTGEN_INSTANTIATE(T)                                                               \
  template void relu_forward(Reference, const T*, T*, std::int64_t);                          \
  template void relu_backward(Reference, const T*, const T*, T*, std::int64_t);               \
  template void leaky_relu_forward(Reference, const T*, T*, std::int64_t, double);            \
  template void leaky_relu_backward(Reference, const T*, const T*, T*, std::int64_t, double); \
  template void sigmoid_forward(Reference, const T*, T*, std::int64_t);                       \
  template void sigmoid_backward(Reference, const T*, const T*, T*, std::int64_t);            \
  template void tanh_forward(Reference, const T*, T*, std::int64_t);                          \
  template void tanh_backward(Reference, const T*, const T*, T*, std::int64_t);               \
  template void gelu_forward(Reference, const T*, T*, std::int64_t);                          \
  template void gelu_backward(Reference, const T*, const T*, T*, std::int64_t);               \
  template void scale(Reference, const T*, T*, std::int64_t, double);                         \
  template void clamp(Reference, const T*, T*, std::int64_t, double, double);                 \
  template void fill(Reference, T*, std::int64_t, double);                                    \
  template void accumulate(Reference, const T*, T*, std::int64_t);                            \
  template void cast(Reference, const T*, float*, std::int64_t);                              \
  template void cast(Reference, const T*, double*, std::int64_t);                             \
  template void cast(Reference, const T*, bfloat16*, std::int64_t);                           \
  template std::int64_t first_nonfinite(Reference, const T*, std::int64_t);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(double)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

// Elementwise kernels over n elements. x and y may be the same memory.
#pragma once

#include <cstdint>

#include "kernels/device.h"
#include "kernels/dtype.h"

namespace roentgen::kernels {

// y = max(x, 0). Backward from y: dx = y > 0 ? dy : 0.
template <class T>
void relu_forward(Reference, const T* x, T* y, std::int64_t n);
template <class T>
void relu_forward(Cpu, const T* x, T* y, std::int64_t n);
template <class T>
void relu_forward(Cuda, const T* x, T* y, std::int64_t n);
template <class T>
void relu_backward(Reference, const T* y, const T* dy, T* dx, std::int64_t n);
template <class T>
void relu_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t n);
template <class T>
void relu_backward(Cuda, const T* y, const T* dy, T* dx, std::int64_t n);

// y = x > 0 ? x : slope * x. Backward from x.
template <class T>
void leaky_relu_forward(Reference, const T* x, T* y, std::int64_t n, double slope);
template <class T>
void leaky_relu_forward(Cpu, const T* x, T* y, std::int64_t n, double slope);
template <class T>
void leaky_relu_forward(Cuda, const T* x, T* y, std::int64_t n, double slope);
template <class T>
void leaky_relu_backward(Reference, const T* x, const T* dy, T* dx, std::int64_t n, double slope);
template <class T>
void leaky_relu_backward(Cpu, const T* x, const T* dy, T* dx, std::int64_t n, double slope);
template <class T>
void leaky_relu_backward(Cuda, const T* x, const T* dy, T* dx, std::int64_t n, double slope);

// y = 1 / (1 + exp(-x)). Backward from y.
template <class T>
void sigmoid_forward(Reference, const T* x, T* y, std::int64_t n);
template <class T>
void sigmoid_forward(Cpu, const T* x, T* y, std::int64_t n);
template <class T>
void sigmoid_forward(Cuda, const T* x, T* y, std::int64_t n);
template <class T>
void sigmoid_backward(Reference, const T* y, const T* dy, T* dx, std::int64_t n);
template <class T>
void sigmoid_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t n);
template <class T>
void sigmoid_backward(Cuda, const T* y, const T* dy, T* dx, std::int64_t n);

// y = tanh(x). Backward from y.
template <class T>
void tanh_forward(Reference, const T* x, T* y, std::int64_t n);
template <class T>
void tanh_forward(Cpu, const T* x, T* y, std::int64_t n);
template <class T>
void tanh_forward(Cuda, const T* x, T* y, std::int64_t n);
template <class T>
void tanh_backward(Reference, const T* y, const T* dy, T* dx, std::int64_t n);
template <class T>
void tanh_backward(Cpu, const T* y, const T* dy, T* dx, std::int64_t n);
template <class T>
void tanh_backward(Cuda, const T* y, const T* dy, T* dx, std::int64_t n);

// y = x Phi(x), the exact form with erf (Hendrycks and Gimpel 2016). Backward from x.
template <class T>
void gelu_forward(Reference, const T* x, T* y, std::int64_t n);
template <class T>
void gelu_forward(Cpu, const T* x, T* y, std::int64_t n);
template <class T>
void gelu_forward(Cuda, const T* x, T* y, std::int64_t n);
template <class T>
void gelu_backward(Reference, const T* x, const T* dy, T* dx, std::int64_t n);
template <class T>
void gelu_backward(Cpu, const T* x, const T* dy, T* dx, std::int64_t n);
template <class T>
void gelu_backward(Cuda, const T* x, const T* dy, T* dx, std::int64_t n);

// y = factor * x.
template <class T>
void scale(Reference, const T* x, T* y, std::int64_t n, double factor);
template <class T>
void scale(Cpu, const T* x, T* y, std::int64_t n, double factor);
template <class T>
void scale(Cuda, const T* x, T* y, std::int64_t n, double factor);

// y = x moved into [low, high]; NaN passes.
template <class T>
void clamp(Reference, const T* x, T* y, std::int64_t n, double low, double high);
template <class T>
void clamp(Cpu, const T* x, T* y, std::int64_t n, double low, double high);
template <class T>
void clamp(Cuda, const T* x, T* y, std::int64_t n, double low, double high);

// y = value, everywhere.
template <class T>
void fill(Reference, T* y, std::int64_t n, double value);
template <class T>
void fill(Cpu, T* y, std::int64_t n, double value);
template <class T>
void fill(Cuda, T* y, std::int64_t n, double value);

// sum += x: the tape's accumulation of gradients.
template <class T>
void accumulate(Reference, const T* x, T* sum, std::int64_t n);
template <class T>
void accumulate(Cpu, const T* x, T* sum, std::int64_t n);
template <class T>
void accumulate(Cuda, const T* x, T* sum, std::int64_t n);

// y = x in another type, rounded to nearest even.
template <class From, class To>
void cast(Reference, const From* x, To* y, std::int64_t n);
template <class From, class To>
void cast(Cpu, const From* x, To* y, std::int64_t n);
template <class From, class To>
void cast(Cuda, const From* x, To* y, std::int64_t n);

// Index of the first element that is NaN or infinite, or -1.
template <class T>
std::int64_t first_nonfinite(Reference, const T* x, std::int64_t n);
template <class T>
std::int64_t first_nonfinite(Cpu, const T* x, std::int64_t n);
template <class T>
std::int64_t first_nonfinite(Cuda, const T* x, std::int64_t n);

}  // namespace roentgen::kernels

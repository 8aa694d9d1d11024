#include "kernels/elementwise.h"

#include <vector>

#include "kernels/cuda/map.h"
#include "kernels/memory.h"

namespace roentgen::kernels {
namespace {

struct Relu {
  __device__ float operator()(float x) const { return x <= 0 ? 0.0f : x; }  // NaN passes
};
struct ReluGradient {
  __device__ float operator()(float y, float dy) const { return y > 0 ? dy : 0.0f; }
};
struct LeakyRelu {
  float slope;
  __device__ float operator()(float x) const { return x > 0 ? x : slope * x; }
};
struct LeakyReluGradient {
  float slope;
  __device__ float operator()(float x, float dy) const { return x > 0 ? dy : slope * dy; }
};
struct Sigmoid {
  __device__ float operator()(float x) const { return 1.0f / (1.0f + expf(-x)); }
};
struct SigmoidGradient {
  __device__ float operator()(float y, float dy) const { return dy * y * (1.0f - y); }
};
struct Tanh {
  __device__ float operator()(float x) const { return tanhf(x); }
};
struct TanhGradient {
  __device__ float operator()(float y, float dy) const { return dy * (1.0f - y * y); }
};

constexpr float root_half = 0.70710678118654752f, root_half_pi_inverse = 0.39894228040143268f;

struct Gelu {
  // erfc keeps the small tail of negative x exact.
  __device__ float operator()(float x) const { return 0.5f * x * erfcf(-x * root_half); }
};
struct GeluGradient {
  __device__ float operator()(float x, float dy) const {
    return dy * (0.5f * erfcf(-x * root_half) + x * root_half_pi_inverse * expf(-0.5f * x * x));
  }
};
struct Scale {
  float factor;
  __device__ float operator()(float x) const { return factor * x; }
};
struct Clamp {
  float low, high;
  __device__ float operator()(float x) const { return x < low ? low : x > high ? high : x; }
};
struct Constant {
  float value;
  __device__ float operator()() const { return value; }
};
struct Sum {
  __device__ float operator()(float x, float y) const { return x + y; }
};
struct Identity {
  __device__ float operator()(float x) const { return x; }
};

constexpr int search_blocks = 256;

// first[b] = the lowest index of a NaN or infinity that block b has seen, or n.
template <class T>
__global__ void __launch_bounds__(block_threads)
    find_nonfinite(std::int64_t n, const T* x, std::int64_t* first) {
  struct Shared {
    std::int64_t lowest[block_threads];
  };
  Shared& s = shared<Shared>();
  std::int64_t lowest = n;
  for (std::int64_t i = thread_number(); i < n && lowest == n; i += thread_count()) {
    if ((__float_as_uint(widen(x[i])) & 0x7F800000u) == 0x7F800000u) lowest = i;
  }
  s.lowest[threadIdx.x] = lowest;
  for (unsigned half = block_threads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half && s.lowest[threadIdx.x + half] < s.lowest[threadIdx.x])
      s.lowest[threadIdx.x] = s.lowest[threadIdx.x + half];
  }
  if (threadIdx.x == 0) first[blockIdx.x] = s.lowest[0];
}

}  // namespace

template <class T>
void relu_forward(Cuda device, const T* x, T* y, std::int64_t n) {
  map(device, Relu{}, n, y, x);
}
template <class T>
void relu_backward(Cuda device, const T* y, const T* dy, T* dx, std::int64_t n) {
  map(device, ReluGradient{}, n, dx, y, dy);
}

template <class T>
void leaky_relu_forward(Cuda device, const T* x, T* y, std::int64_t n, double slope) {
  map(device, LeakyRelu{static_cast<float>(slope)}, n, y, x);
}
template <class T>
void leaky_relu_backward(Cuda device, const T* x, const T* dy, T* dx, std::int64_t n, double slope) {
  map(device, LeakyReluGradient{static_cast<float>(slope)}, n, dx, x, dy);
}

template <class T>
void sigmoid_forward(Cuda device, const T* x, T* y, std::int64_t n) {
  map(device, Sigmoid{}, n, y, x);
}
template <class T>
void sigmoid_backward(Cuda device, const T* y, const T* dy, T* dx, std::int64_t n) {
  map(device, SigmoidGradient{}, n, dx, y, dy);
}

template <class T>
void tanh_forward(Cuda device, const T* x, T* y, std::int64_t n) {
  map(device, Tanh{}, n, y, x);
}
template <class T>
void tanh_backward(Cuda device, const T* y, const T* dy, T* dx, std::int64_t n) {
  map(device, TanhGradient{}, n, dx, y, dy);
}

template <class T>
void gelu_forward(Cuda device, const T* x, T* y, std::int64_t n) {
  map(device, Gelu{}, n, y, x);
}
template <class T>
void gelu_backward(Cuda device, const T* x, const T* dy, T* dx, std::int64_t n) {
  map(device, GeluGradient{}, n, dx, x, dy);
}

template <class T>
void scale(Cuda device, const T* x, T* y, std::int64_t n, double factor) {
  map(device, Scale{static_cast<float>(factor)}, n, y, x);
}
template <class T>
void clamp(Cuda device, const T* x, T* y, std::int64_t n, double low, double high) {
  map(device, Clamp{static_cast<float>(low), static_cast<float>(high)}, n, y, x);
}
template <class T>
void fill(Cuda device, T* y, std::int64_t n, double value) {
  map(device, Constant{static_cast<float>(value)}, n, y);
}
template <class T>
void accumulate(Cuda device, const T* x, T* sum, std::int64_t n) {
  map(device, Sum{}, n, sum, x, static_cast<const T*>(sum));
}
template <class From, class To>
void cast(Cuda device, const From* x, To* y, std::int64_t n) {
  map(device, Identity{}, n, y, x);
}

template <class T>
std::int64_t first_nonfinite(Cuda device, const T* x, std::int64_t n) {
  if (n == 0) return -1;
  const unsigned blocks = std::min<unsigned>(blocks_for(n), search_blocks);
  const Scratch<std::int64_t> first(device, blocks);
  launch(device, find_nonfinite<T>, blocks, block_threads, n, x, first.data());
  std::vector<std::int64_t> found(blocks);
  copy_to_host(device, first.data(), found.data(), blocks * sizeof(std::int64_t));
  const std::int64_t lowest = *std::min_element(found.begin(), found.end());
  return lowest == n ? -1 : lowest;
}

#define ROENTGEN_INSTANTIATE(T)                                                          \
  template void relu_forward(Cuda, const T*, T*, std::int64_t);                          \
  template void relu_backward(Cuda, const T*, const T*, T*, std::int64_t);               \
  template void leaky_relu_forward(Cuda, const T*, T*, std::int64_t, double);            \
  template void leaky_relu_backward(Cuda, const T*, const T*, T*, std::int64_t, double); \
  template void sigmoid_forward(Cuda, const T*, T*, std::int64_t);                       \
  template void sigmoid_backward(Cuda, const T*, const T*, T*, std::int64_t);            \
  template void tanh_forward(Cuda, const T*, T*, std::int64_t);                          \
  template void tanh_backward(Cuda, const T*, const T*, T*, std::int64_t);               \
  template void gelu_forward(Cuda, const T*, T*, std::int64_t);                          \
  template void gelu_backward(Cuda, const T*, const T*, T*, std::int64_t);               \
  template void scale(Cuda, const T*, T*, std::int64_t, double);                         \
  template void clamp(Cuda, const T*, T*, std::int64_t, double, double);                 \
  template void fill(Cuda, T*, std::int64_t, double);                                    \
  template void accumulate(Cuda, const T*, T*, std::int64_t);                            \
  template void cast(Cuda, const T*, float*, std::int64_t);                              \
  template void cast(Cuda, const T*, bfloat16*, std::int64_t);                           \
  template std::int64_t first_nonfinite(Cuda, const T*, std::int64_t);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

#include "kernels/binary.h"

#include "kernels/cuda/map.h"
#include "kernels/cuda/nest.h"

namespace roentgen::kernels {
namespace {

struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Sub {
  __device__ float operator()(float a, float b) const { return a - b; }
};
struct Mul {
  __device__ float operator()(float a, float b) const { return a * b; }
};
struct Div {
  __device__ float operator()(float a, float b) const { return a / b; }
};

template <class F, class T>
__global__ void __launch_bounds__(block_threads)
    broadcast_kernel(F f, NestIndex<2> index, std::uint32_t n, const T* a, const T* b, T* y) {
  for (std::int64_t i = thread_number(); i < n; i += thread_count()) {
    const auto offsets = index(static_cast<std::uint32_t>(i));
    y[i] = narrow<T>(f(widen(a[offsets.of[0]]), widen(b[offsets.of[1]])));
  }
}

template <class F, class T>
void combine(Cuda device, const char* op, F f, const T* a, const T* b, T* y, const Broadcast& shape) {
  const Nest<2> nest(shape.rank, shape.dims, {shape.a_strides, shape.b_strides});
  const std::int64_t n = nest.count();
  if (nest.contiguous()) {
    map(device, f, n, y, a, b);
  } else if (n > 0) {
    launch(device, broadcast_kernel<F, T>, blocks_for(n), block_threads, f, NestIndex<2>(nest),
           checked_items(op, n), a, b, y);
  }
}

}  // namespace

template <class T>
void add(Cuda device, const T* a, const T* b, T* y, const Broadcast& shape) {
  combine(device, "add", Add{}, a, b, y, shape);
}
template <class T>
void sub(Cuda device, const T* a, const T* b, T* y, const Broadcast& shape) {
  combine(device, "sub", Sub{}, a, b, y, shape);
}
template <class T>
void mul(Cuda device, const T* a, const T* b, T* y, const Broadcast& shape) {
  combine(device, "mul", Mul{}, a, b, y, shape);
}
template <class T>
void div(Cuda device, const T* a, const T* b, T* y, const Broadcast& shape) {
  combine(device, "div", Div{}, a, b, y, shape);
}

#define ROENTGEN_INSTANTIATE(T)                                      \
  template void add(Cuda, const T*, const T*, T*, const Broadcast&); \
  template void sub(Cuda, const T*, const T*, T*, const Broadcast&); \
  template void mul(Cuda, const T*, const T*, T*, const Broadcast&); \
  template void div(Cuda, const T*, const T*, T*, const Broadcast&);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

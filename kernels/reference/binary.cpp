#include "kernels/binary.h"

#include "kernels/reference/index.h"

namespace roentgen::kernels {
namespace {

template <class T, class F>
void combine(const T* a, const T* b, T* y, const Broadcast& shape, F f) {
  const std::int64_t n = reference::count(shape.rank, shape.dims);
  for (std::int64_t i = 0; i < n; ++i) {
    const T left = a[reference::offset(i, shape.rank, shape.dims, shape.a_strides)];
    const T right = b[reference::offset(i, shape.rank, shape.dims, shape.b_strides)];
    y[i] = static_cast<T>(f(static_cast<double>(left), static_cast<double>(right)));
  }
}

}  // namespace

template <class T>
void add(Reference, const T* a, const T* b, T* y, const Broadcast& shape) {
  combine(a, b, y, shape, [](double u, double v) { return u + v; });
}

template <class T>
void sub(Reference, const T* a, const T* b, T* y, const Broadcast& shape) {
  combine(a, b, y, shape, [](double u, double v) { return u - v; });
}

template <class T>
void mul(Reference, const T* a, const T* b, T* y, const Broadcast& shape) {
  combine(a, b, y, shape, [](double u, double v) { return u * v; });
}

template <class T>
void div(Reference, const T* a, const T* b, T* y, const Broadcast& shape) {
  combine(a, b, y, shape, [](double u, double v) { return u / v; });
}

#define ROENTGEN_INSTANTIATE(T)                                           \
  template void add(Reference, const T*, const T*, T*, const Broadcast&); \
  template void sub(Reference, const T*, const T*, T*, const Broadcast&); \
  template void mul(Reference, const T*, const T*, T*, const Broadcast&); \
  template void div(Reference, const T*, const T*, T*, const Broadcast&);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(double)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

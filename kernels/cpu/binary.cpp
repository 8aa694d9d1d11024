#include "kernels/binary.h"

#include "kernels/cpu/nest.h"
#include "kernels/cpu/parallel.h"

namespace roentgen::kernels {
namespace {

constexpr std::int64_t grain = 1 << 14;

// One run: y side by side, a and b with strides 0, 1 or other. Inner is called with constants where it pays.
template <class T, class F>
void combine_run(const T* a, std::int64_t a_stride, const T* b, std::int64_t b_stride, T* __restrict y,
                 std::int64_t n, F f) {
  const auto loop = [&](auto left, auto right) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<T>(f(left(i), right(i)));
  };
  const auto row = [](const T* p) { return [p](std::int64_t i) { return static_cast<float>(p[i]); }; };
  const auto scalar = [](const T* p) { return [v = static_cast<float>(*p)](std::int64_t) { return v; }; };
  if (a_stride == 1 && b_stride == 1) return loop(row(a), row(b));
  if (a_stride == 1 && b_stride == 0) return loop(row(a), scalar(b));
  if (a_stride == 0 && b_stride == 1) return loop(scalar(a), row(b));
  const auto strided = [](const T* p, std::int64_t stride) {
    return [=](std::int64_t i) { return static_cast<float>(p[i * stride]); };
  };
  loop(strided(a, a_stride), strided(b, b_stride));
}

template <class T, class F>
void combine(const T* a, const T* b, T* y, const Broadcast& shape, F f) {
  Nest<2> nest;
  for (int axis = 0; axis < shape.rank; ++axis)
    nest.push(shape.dims[axis], {shape.a_strides[axis], shape.b_strides[axis]});
  parallel_ranges(nest.size(), grain, [&](std::int64_t begin, std::int64_t end) {
    T* out = y + begin;
    nest.runs(begin, end, [&](const std::int64_t(&offsets)[2], std::int64_t length) {
      combine_run(a + offsets[0], nest.inner_stride(0), b + offsets[1], nest.inner_stride(1), out, length, f);
      out += length;
    });
  });
}

}  // namespace

template <class T>
void add(Cpu, const T* a, const T* b, T* y, const Broadcast& shape) {
  combine(a, b, y, shape, [](float u, float v) { return u + v; });
}

template <class T>
void sub(Cpu, const T* a, const T* b, T* y, const Broadcast& shape) {
  combine(a, b, y, shape, [](float u, float v) { return u - v; });
}

template <class T>
void mul(Cpu, const T* a, const T* b, T* y, const Broadcast& shape) {
  combine(a, b, y, shape, [](float u, float v) { return u * v; });
}

template <class T>
void div(Cpu, const T* a, const T* b, T* y, const Broadcast& shape) {
  combine(a, b, y, shape, [](float u, float v) { return u / v; });
}

#define ROENTGEN_INSTANTIATE(T)                                     \
  template void add(Cpu, const T*, const T*, T*, const Broadcast&); \
  template void sub(Cpu, const T*, const T*, T*, const Broadcast&); \
  template void mul(Cpu, const T*, const T*, T*, const Broadcast&); \
  template void div(Cpu, const T*, const T*, T*, const Broadcast&);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

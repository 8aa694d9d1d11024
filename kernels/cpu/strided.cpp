#include "kernels/strided.h"

#include <algorithm>
#include <numeric>

#include "kernels/cpu/nest.h"
#include "kernels/cpu/parallel.h"

namespace roentgen::kernels {
namespace {

constexpr std::int64_t grain = 1 << 14;

}  // namespace

template <class T>
void strided_copy(Cpu, const T* x, T* y, const StridedCopy& shape) {
  // The order of the axes is free: the one along which y lies closest goes innermost, so that writes are
  // runs.
  int order[max_rank];
  std::iota(order, order + shape.rank, 0);
  std::stable_sort(order, order + shape.rank,
                   [&](int a, int b) { return shape.y_strides[a] > shape.y_strides[b]; });
  Nest<2> nest;
  for (int i = 0; i < shape.rank; ++i)
    nest.push(shape.dims[order[i]], {shape.x_strides[order[i]], shape.y_strides[order[i]]});
  const std::int64_t x_stride = nest.inner_stride(0), y_stride = nest.inner_stride(1);
  parallel_ranges(nest.size(), grain, [&](std::int64_t begin, std::int64_t end) {
    nest.runs(begin, end, [&](const std::int64_t(&offsets)[2], std::int64_t length) {
      const T* __restrict from = x + offsets[0];
      T* __restrict to = y + offsets[1];
      if (y_stride == 1 && x_stride == 1)
        std::copy(from, from + length, to);
      else if (y_stride == 1 && x_stride == 0)
        std::fill(to, to + length, *from);
      else
        for (std::int64_t i = 0; i < length; ++i) to[i * y_stride] = from[i * x_stride];
    });
  });
}

template void strided_copy(Cpu, const float*, float*, const StridedCopy&);
template void strided_copy(Cpu, const bfloat16*, bfloat16*, const StridedCopy&);
template void strided_copy(Cpu, const std::uint8_t*, std::uint8_t*, const StridedCopy&);
template void strided_copy(Cpu, const std::int32_t*, std::int32_t*, const StridedCopy&);
template void strided_copy(Cpu, const std::int64_t*, std::int64_t*, const StridedCopy&);

}  // namespace roentgen::kernels

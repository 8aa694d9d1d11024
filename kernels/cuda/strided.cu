#include "kernels/strided.h"

#include "kernels/cuda/nest.h"
#include "kernels/memory.h"

namespace roentgen::kernels {
namespace {

template <class Bits>
__global__ void __launch_bounds__(block_threads)
    strided_kernel(NestIndex<2> index, std::uint32_t n, const Bits* x, Bits* y) {
  for (std::int64_t i = thread_number(); i < n; i += thread_count()) {
    const auto offsets = index(static_cast<std::uint32_t>(i));
    y[offsets.of[1]] = x[offsets.of[0]];
  }
}

// Copies look at an element's size alone.
template <class Bits>
void copy_bits(Cuda device, const void* x, void* y, const StridedCopy& shape) {
  const Nest<2> nest(shape.rank, shape.dims, {shape.x_strides, shape.y_strides});
  const std::int64_t n = nest.count();
  if (nest.contiguous()) {
    copy(device, x, y, static_cast<std::size_t>(n) * sizeof(Bits));
  } else if (n > 0) {
    launch(device, strided_kernel<Bits>, blocks_for(n), block_threads, NestIndex<2>(nest),
           checked_items("strided_copy", n), static_cast<const Bits*>(x), static_cast<Bits*>(y));
  }
}

}  // namespace

template <class T>
void strided_copy(Cuda device, const T* x, T* y, const StridedCopy& shape) {
  if constexpr (sizeof(T) == 1) copy_bits<std::uint8_t>(device, x, y, shape);
  if constexpr (sizeof(T) == 2) copy_bits<std::uint16_t>(device, x, y, shape);
  if constexpr (sizeof(T) == 4) copy_bits<std::uint32_t>(device, x, y, shape);
  if constexpr (sizeof(T) == 8) copy_bits<std::uint64_t>(device, x, y, shape);
}

template void strided_copy(Cuda, const float*, float*, const StridedCopy&);
template void strided_copy(Cuda, const bfloat16*, bfloat16*, const StridedCopy&);
template void strided_copy(Cuda, const std::uint8_t*, std::uint8_t*, const StridedCopy&);
template void strided_copy(Cuda, const std::int32_t*, std::int32_t*, const StridedCopy&);
template void strided_copy(Cuda, const std::int64_t*, std::int64_t*, const StridedCopy&);

}  // namespace roentgen::kernels

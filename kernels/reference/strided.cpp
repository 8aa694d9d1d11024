#include "kernels/strided.h"

#include "kernels/reference/index.h"

namespace roentgen::kernels {

template <class T>
void strided_copy(Reference, const T* x, T* y, const StridedCopy& shape) {
  const std::int64_t n = reference::count(shape.rank, shape.dims);
  for (std::int64_t i = 0; i < n; ++i)
    y[reference::offset(i, shape.rank, shape.dims, shape.y_strides)] =
        x[reference::offset(i, shape.rank, shape.dims, shape.x_strides)];
}

template void strided_copy(Reference, const float*, float*, const StridedCopy&);
template void strided_copy(Reference, const double*, double*, const StridedCopy&);
template void strided_copy(Reference, const bfloat16*, bfloat16*, const StridedCopy&);
template void strided_copy(Reference, const std::uint8_t*, std::uint8_t*, const StridedCopy&);
template void strided_copy(Reference, const std::int32_t*, std::int32_t*, const StridedCopy&);
template void strided_copy(Reference, const std::int64_t*, std::int64_t*, const StridedCopy&);

}  // namespace roentgen::kernels

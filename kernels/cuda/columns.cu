#include "kernels/cuda/columns.h"

#include "kernels/cuda/own.h"

namespace roentgen::kernels::own {

template <class T>
void sum_rows(Cuda device, const T* x, std::int64_t rows, std::int64_t columns, Master<T>* y) {
  sum_columns(device, "sum_rows", x, rows, columns, y);
}

template void sum_rows(Cuda, const float*, std::int64_t, std::int64_t, float*);
template void sum_rows(Cuda, const bfloat16*, std::int64_t, std::int64_t, float*);

}  // namespace roentgen::kernels::own

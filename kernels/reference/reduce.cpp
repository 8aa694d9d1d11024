#include "kernels/reduce.h"

#include <cmath>
#include <limits>

#include "kernels/reference/index.h"

namespace roentgen::kernels {

template <class T>
void sum(Reference, const T* x, T* y, const Reduction& shape, double factor) {
  const std::int64_t n_y = reference::count(shape.kept_rank, shape.kept);
  const std::int64_t n = reference::count(shape.reduced_rank, shape.reduced);
  for (std::int64_t i = 0; i < n_y; ++i) {
    const T* start = x + reference::offset(i, shape.kept_rank, shape.kept, shape.kept_strides);
    double total = 0;
    for (std::int64_t j = 0; j < n; ++j)
      total += static_cast<double>(
          start[reference::offset(j, shape.reduced_rank, shape.reduced, shape.reduced_strides)]);
    y[i] = static_cast<T>(factor * total);
  }
}

// Over no elements at all the maximum is -infinity and argmax -1.
template <class T>
void max_forward(Reference, const T* x, T* y, std::int64_t* argmax, const Reduction& shape) {
  const std::int64_t n_y = reference::count(shape.kept_rank, shape.kept);
  const std::int64_t n = reference::count(shape.reduced_rank, shape.reduced);
  for (std::int64_t i = 0; i < n_y; ++i) {
    const std::int64_t start = reference::offset(i, shape.kept_rank, shape.kept, shape.kept_strides);
    double best = -std::numeric_limits<double>::infinity();
    std::int64_t where = -1;
    for (std::int64_t j = 0; j < n; ++j) {
      const std::int64_t at =
          start + reference::offset(j, shape.reduced_rank, shape.reduced, shape.reduced_strides);
      const double v = static_cast<double>(x[at]);
      if (where < 0 || v > best || (std::isnan(v) && !std::isnan(best))) {
        best = v;
        where = at;
      }
    }
    y[i] = static_cast<T>(best);
    argmax[i] = where;
  }
}

template <class T>
void max_backward(Reference, const T* dy, const std::int64_t* argmax, T* dx, std::int64_t n_x,
                  std::int64_t n_y) {
  for (std::int64_t i = 0; i < n_x; ++i) dx[i] = T{};
  for (std::int64_t i = 0; i < n_y; ++i)
    if (argmax[i] >= 0) dx[argmax[i]] = dy[i];
}

template <class T>
double sum_of_squares(Reference, const T* x, std::int64_t n) {
  double total = 0;
  for (std::int64_t i = 0; i < n; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return total;
}

#define ROENTGEN_INSTANTIATE(T)                                                                         \
  template void sum(Reference, const T*, T*, const Reduction&, double);                                 \
  template void max_forward(Reference, const T*, T*, std::int64_t*, const Reduction&);                  \
  template void max_backward(Reference, const T*, const std::int64_t*, T*, std::int64_t, std::int64_t); \
  template double sum_of_squares(Reference, const T*, std::int64_t);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(double)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

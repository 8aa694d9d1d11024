#include "kernels/matmul.h"

#include <vector>

namespace roentgen::kernels {

// A row of c at a time, gathered in double; so the inner loop runs along rows of b.
template <class T>
void matmul(Reference, const MatmulShape& shape, const T* a, const T* b, T* c) {
  const std::int64_t m = shape.m, n = shape.n, k = shape.k;
  std::vector<double> row(static_cast<std::size_t>(n));
  for (std::int64_t batch = 0; batch < shape.batch; ++batch) {
    const T* a_i = a + batch * shape.a_stride;
    const T* b_i = b + batch * shape.b_stride;
    for (std::int64_t i = 0; i < m; ++i) {
      row.assign(row.size(), 0.0);
      for (std::int64_t l = 0; l < k; ++l) {
        const double left = static_cast<double>(shape.transpose_a ? a_i[l * m + i] : a_i[i * k + l]);
        for (std::int64_t j = 0; j < n; ++j)
          row[static_cast<std::size_t>(j)] +=
              left * static_cast<double>(shape.transpose_b ? b_i[j * k + l] : b_i[l * n + j]);
      }
      for (std::int64_t j = 0; j < n; ++j)
        c[(batch * m + i) * n + j] = static_cast<T>(row[static_cast<std::size_t>(j)]);
    }
  }
}

template <class T>
void linear_forward(Reference, const LinearShape& shape, const T* x, const T* w, const Master<T>* bias,
                    T* y) {
  for (std::int64_t i = 0; i < shape.rows; ++i)
    for (std::int64_t o = 0; o < shape.out; ++o) {
      double total = bias ? static_cast<double>(bias[o]) : 0;
      for (std::int64_t j = 0; j < shape.in; ++j)
        total += static_cast<double>(x[i * shape.in + j]) * static_cast<double>(w[o * shape.in + j]);
      y[i * shape.out + o] = static_cast<T>(total);
    }
}

template <class T>
void linear_backward_data(Reference, const LinearShape& shape, const T* dy, const T* w, T* dx) {
  std::vector<double> row(static_cast<std::size_t>(shape.in));
  for (std::int64_t i = 0; i < shape.rows; ++i) {
    row.assign(row.size(), 0.0);
    for (std::int64_t o = 0; o < shape.out; ++o) {
      const double d = static_cast<double>(dy[i * shape.out + o]);
      for (std::int64_t j = 0; j < shape.in; ++j)
        row[static_cast<std::size_t>(j)] += d * static_cast<double>(w[o * shape.in + j]);
    }
    for (std::int64_t j = 0; j < shape.in; ++j)
      dx[i * shape.in + j] = static_cast<T>(row[static_cast<std::size_t>(j)]);
  }
}

template <class T>
void linear_backward_weights(Reference, const LinearShape& shape, const T* x, const T* dy, Master<T>* dw,
                             Master<T>* dbias) {
  std::vector<double> row(static_cast<std::size_t>(shape.in));
  for (std::int64_t o = 0; o < shape.out; ++o) {
    row.assign(row.size(), 0.0);
    double total = 0;
    for (std::int64_t i = 0; i < shape.rows; ++i) {
      const double d = static_cast<double>(dy[i * shape.out + o]);
      total += d;
      for (std::int64_t j = 0; j < shape.in; ++j)
        row[static_cast<std::size_t>(j)] += d * static_cast<double>(x[i * shape.in + j]);
    }
    for (std::int64_t j = 0; j < shape.in; ++j)
      dw[o * shape.in + j] = static_cast<Master<T>>(row[static_cast<std::size_t>(j)]);
    if (dbias) dbias[o] = static_cast<Master<T>>(total);
  }
}

#define ROENTGEN_INSTANTIATE(T)                                                                          \
  template void matmul(Reference, const MatmulShape&, const T*, const T*, T*);                           \
  template void linear_forward(Reference, const LinearShape&, const T*, const T*, const Master<T>*, T*); \
  template void linear_backward_data(Reference, const LinearShape&, const T*, const T*, T*);             \
  template void linear_backward_weights(Reference, const LinearShape&, const T*, const T*, Master<T>*,   \
                                        Master<T>*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(double)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

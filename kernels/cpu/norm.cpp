// Two kinds of pass over [rows, c]: sums down the columns, in double and with partial sums of fixed blocks of
// rows combined in order, and a pointwise one in float.
#include "kernels/norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/parallel.h"

namespace roentgen::kernels {
namespace {

constexpr std::int64_t grain = 1 << 14;

std::int64_t rows_per_task(const BatchNormShape& shape) {
  return std::max<std::int64_t>(grain / std::max<std::int64_t>(shape.c, 1), 1);
}

// Two sums per channel, [2][c]: add(row, first, second) adds a row of x to both.
template <class F>
std::vector<double> column_sums(const BatchNormShape& shape, F add) {
  const std::int64_t block = rows_per_task(shape), blocks = (shape.rows + block - 1) / block, c = shape.c;
  std::vector<double> partial(static_cast<std::size_t>(std::max<std::int64_t>(blocks, 1) * 2 * c));
  parallel_ranges(shape.rows, block, [&](std::int64_t begin, std::int64_t end) {
    double* sums = partial.data() + begin / block * 2 * c;
    for (std::int64_t i = begin; i < end; ++i) add(i * c, sums, sums + c);
  });
  for (std::int64_t b = 1; b < blocks; ++b)
    for (std::int64_t j = 0; j < 2 * c; ++j)
      partial[static_cast<std::size_t>(j)] += partial[static_cast<std::size_t>(b * 2 * c + j)];
  partial.resize(static_cast<std::size_t>(2 * c));
  return partial;
}

// Calls f(i) for the first element i of each row, in parallel.
template <class F>
void for_each_row(const BatchNormShape& shape, F f) {
  parallel_ranges(shape.rows, rows_per_task(shape), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) f(i * shape.c);
  });
}

// sums of dy and of dy * (x - mean).
template <class T>
std::vector<double> gradient_sums(const BatchNormShape& shape, const T* x, const T* dy, const float* mean) {
  return column_sums(shape, [=](std::int64_t row, double* sum_dy, double* sum_dy_x) {
    for (std::int64_t j = 0; j < shape.c; ++j) {
      const double d = static_cast<double>(dy[row + j]);
      sum_dy[j] += d;
      sum_dy_x[j] += d * (static_cast<double>(x[row + j]) - static_cast<double>(mean[j]));
    }
  });
}

// y = (x - mean) * factor + beta.
template <class T>
void normalise(const BatchNormShape& shape, const T* x, const float* mean, const std::vector<float>& factors,
               const float* beta, T* y) {
  for_each_row(shape, [=, factor = factors.data()](std::int64_t row) {
    const T* __restrict in = x + row;
    T* __restrict out = y + row;
    for (std::int64_t j = 0; j < shape.c; ++j)
      out[j] = static_cast<T>((static_cast<float>(in[j]) - mean[j]) * factor[j] + beta[j]);
  });
}

}  // namespace

template <class T>
void batch_norm_forward(Cpu, const BatchNormShape& shape, const T* x, const Master<T>* gamma,
                        const Master<T>* beta, T* y, Master<T>* mean, Master<T>* rstd) {
  const std::int64_t c = shape.c;
  // Moments about the first row: in double, that leaves nothing to cancel unless it lies absurdly far out.
  const T* origin = x;
  const std::vector<double> sums = column_sums(shape, [=](std::int64_t row, double* sum, double* squares) {
    for (std::int64_t j = 0; j < c; ++j) {
      const double v = static_cast<double>(x[row + j]) - static_cast<double>(origin[j]);
      sum[j] += v;
      squares[j] += v * v;
    }
  });
  const double n = static_cast<double>(std::max<std::int64_t>(shape.rows, 1));
  std::vector<float> factors(static_cast<std::size_t>(c));
  for (std::int64_t j = 0; j < c; ++j) {
    const double shifted = sums[static_cast<std::size_t>(j)] / n;
    const double variance = std::max(sums[static_cast<std::size_t>(c + j)] / n - shifted * shifted, 0.0);
    const double r = 1 / std::sqrt(variance + shape.epsilon);
    mean[j] = static_cast<float>(shape.rows > 0 ? shifted + static_cast<double>(origin[j]) : 0.0);
    rstd[j] = static_cast<float>(r);
    factors[static_cast<std::size_t>(j)] = static_cast<float>(r * static_cast<double>(gamma[j]));
  }
  normalise(shape, x, mean, factors, beta, y);
}

// dx = gamma rstd (dy - mean of dy - (x - mean) rstd^2 (mean of dy (x - mean))).
template <class T>
void batch_norm_backward(Cpu, const BatchNormShape& shape, const T* x, const T* dy, const Master<T>* gamma,
                         const Master<T>* mean, const Master<T>* rstd, T* dx, Master<T>* dgamma,
                         Master<T>* dbeta) {
  const std::int64_t c = shape.c;
  const std::vector<double> sums = gradient_sums(shape, x, dy, mean);
  const double n = static_cast<double>(std::max<std::int64_t>(shape.rows, 1));
  std::vector<float> coefficients(static_cast<std::size_t>(3 * c));
  float *factor = coefficients.data(), *centre = factor + c, *slope = centre + c;
  for (std::int64_t j = 0; j < c; ++j) {
    const double sum_dy = sums[static_cast<std::size_t>(j)], sum_dy_x = sums[static_cast<std::size_t>(c + j)];
    const double r = static_cast<double>(rstd[j]);
    factor[j] = static_cast<float>(r * static_cast<double>(gamma[j]));
    centre[j] = static_cast<float>(sum_dy / n);
    slope[j] = static_cast<float>(r * r * sum_dy_x / n);
    dgamma[j] = static_cast<float>(sum_dy_x * r);
    dbeta[j] = static_cast<float>(sum_dy);
  }
  for_each_row(shape, [=](std::int64_t row) {
    const T* __restrict in = x + row, * __restrict d = dy + row;
    T* __restrict out = dx + row;
    for (std::int64_t j = 0; j < c; ++j)
      out[j] = static_cast<T>(factor[j] * (static_cast<float>(d[j]) - centre[j] -
                                           (static_cast<float>(in[j]) - mean[j]) * slope[j]));
  });
}

template <class T>
void batch_norm_inference_forward(Cpu, const BatchNormShape& shape, const T* x, const Master<T>* gamma,
                                  const Master<T>* beta, const Master<T>* mean, const Master<T>* variance,
                                  T* y) {
  std::vector<float> factors(static_cast<std::size_t>(shape.c));
  for (std::int64_t j = 0; j < shape.c; ++j)
    factors[static_cast<std::size_t>(j)] = static_cast<float>(
        static_cast<double>(gamma[j]) / std::sqrt(static_cast<double>(variance[j]) + shape.epsilon));
  normalise(shape, x, mean, factors, beta, y);
}

template <class T>
void batch_norm_inference_backward(Cpu, const BatchNormShape& shape, const T* x, const T* dy,
                                   const Master<T>* gamma, const Master<T>* mean, const Master<T>* variance,
                                   T* dx, Master<T>* dgamma, Master<T>* dbeta) {
  const std::int64_t c = shape.c;
  const std::vector<double> sums = gradient_sums(shape, x, dy, mean);
  std::vector<float> factors(static_cast<std::size_t>(c));
  for (std::int64_t j = 0; j < c; ++j) {
    const double r = 1 / std::sqrt(static_cast<double>(variance[j]) + shape.epsilon);
    factors[static_cast<std::size_t>(j)] = static_cast<float>(r * static_cast<double>(gamma[j]));
    dgamma[j] = static_cast<float>(sums[static_cast<std::size_t>(c + j)] * r);
    dbeta[j] = static_cast<float>(sums[static_cast<std::size_t>(j)]);
  }
  for_each_row(shape, [=, factor = factors.data()](std::int64_t row) {
    const T* __restrict d = dy + row;
    T* __restrict out = dx + row;
    for (std::int64_t j = 0; j < c; ++j) out[j] = static_cast<T>(static_cast<float>(d[j]) * factor[j]);
  });
}

template <class T>
void batch_norm_update(Cpu, const BatchNormShape& shape, double momentum, const T* mean, const T* rstd,
                       T* running_mean, T* running_variance) {
  for (std::int64_t j = 0; j < shape.c; ++j) {
    const double r = static_cast<double>(rstd[j]), variance = 1 / (r * r) - shape.epsilon;
    running_mean[j] = static_cast<T>(momentum * static_cast<double>(running_mean[j]) +
                                     (1 - momentum) * static_cast<double>(mean[j]));
    running_variance[j] =
        static_cast<T>(momentum * static_cast<double>(running_variance[j]) + (1 - momentum) * variance);
  }
}

#define ROENTGEN_INSTANTIATE(T)                                                                             \
  template void batch_norm_forward<T>(Cpu, const BatchNormShape&, const T*, const float*, const float*, T*, \
                                      float*, float*);                                                      \
  template void batch_norm_backward<T>(Cpu, const BatchNormShape&, const T*, const T*, const float*,        \
                                       const float*, const float*, T*, float*, float*);                     \
  template void batch_norm_inference_forward<T>(Cpu, const BatchNormShape&, const T*, const float*,         \
                                                const float*, const float*, const float*, T*);              \
  template void batch_norm_inference_backward<T>(Cpu, const BatchNormShape&, const T*, const T*,            \
                                                 const float*, const float*, const float*, T*, float*,      \
                                                 float*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE
template void batch_norm_update(Cpu, const BatchNormShape&, double, const float*, const float*, float*,
                                float*);

}  // namespace roentgen::kernels

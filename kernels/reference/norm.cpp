// Channels are the outer loop, rows the inner one; all sums in double.
#include "kernels/norm.h"

#include <algorithm>
#include <cmath>

namespace roentgen::kernels {
namespace {

template <class T>
double at(const T* x, const BatchNormShape& shape, std::int64_t row, std::int64_t channel) {
  return static_cast<double>(x[row * shape.c + channel]);
}

// A mean over no rows counts as 0.
double divisor(const BatchNormShape& shape) {
  return static_cast<double>(std::max<std::int64_t>(shape.rows, 1));
}

}  // namespace

template <class T>
void batch_norm_forward(Reference, const BatchNormShape& shape, const T* x, const Master<T>* gamma,
                        const Master<T>* beta, T* y, Master<T>* mean, Master<T>* rstd) {
  for (std::int64_t c = 0; c < shape.c; ++c) {
    double total = 0, squares = 0;
    for (std::int64_t i = 0; i < shape.rows; ++i) total += at(x, shape, i, c);
    const double m = total / divisor(shape);
    for (std::int64_t i = 0; i < shape.rows; ++i) {
      const double centred = at(x, shape, i, c) - m;
      squares += centred * centred;
    }
    const double r = 1 / std::sqrt(squares / divisor(shape) + shape.epsilon);
    for (std::int64_t i = 0; i < shape.rows; ++i)
      y[i * shape.c + c] = static_cast<T>((at(x, shape, i, c) - m) * r * static_cast<double>(gamma[c]) +
                                          static_cast<double>(beta[c]));
    mean[c] = static_cast<Master<T>>(m);
    rstd[c] = static_cast<Master<T>>(r);
  }
}

template <class T>
void batch_norm_backward(Reference, const BatchNormShape& shape, const T* x, const T* dy,
                         const Master<T>* gamma, const Master<T>* mean, const Master<T>* rstd, T* dx,
                         Master<T>* dgamma, Master<T>* dbeta) {
  for (std::int64_t c = 0; c < shape.c; ++c) {
    const double m = static_cast<double>(mean[c]), r = static_cast<double>(rstd[c]);
    double sum_dy = 0, sum_dy_normed = 0;
    for (std::int64_t i = 0; i < shape.rows; ++i) {
      sum_dy += at(dy, shape, i, c);
      sum_dy_normed += at(dy, shape, i, c) * (at(x, shape, i, c) - m) * r;
    }
    for (std::int64_t i = 0; i < shape.rows; ++i) {
      const double normed = (at(x, shape, i, c) - m) * r;
      const double centred = at(dy, shape, i, c) - (sum_dy + normed * sum_dy_normed) / divisor(shape);
      dx[i * shape.c + c] = static_cast<T>(static_cast<double>(gamma[c]) * r * centred);
    }
    dgamma[c] = static_cast<Master<T>>(sum_dy_normed);
    dbeta[c] = static_cast<Master<T>>(sum_dy);
  }
}

template <class T>
void batch_norm_inference_forward(Reference, const BatchNormShape& shape, const T* x, const Master<T>* gamma,
                                  const Master<T>* beta, const Master<T>* mean, const Master<T>* variance,
                                  T* y) {
  for (std::int64_t c = 0; c < shape.c; ++c) {
    const double m = static_cast<double>(mean[c]);
    const double r = 1 / std::sqrt(static_cast<double>(variance[c]) + shape.epsilon);
    for (std::int64_t i = 0; i < shape.rows; ++i)
      y[i * shape.c + c] = static_cast<T>((at(x, shape, i, c) - m) * r * static_cast<double>(gamma[c]) +
                                          static_cast<double>(beta[c]));
  }
}

template <class T>
void batch_norm_inference_backward(Reference, const BatchNormShape& shape, const T* x, const T* dy,
                                   const Master<T>* gamma, const Master<T>* mean, const Master<T>* variance,
                                   T* dx, Master<T>* dgamma, Master<T>* dbeta) {
  for (std::int64_t c = 0; c < shape.c; ++c) {
    const double m = static_cast<double>(mean[c]);
    const double r = 1 / std::sqrt(static_cast<double>(variance[c]) + shape.epsilon);
    double sum_dy = 0, sum_dy_normed = 0;
    for (std::int64_t i = 0; i < shape.rows; ++i) {
      const double d = at(dy, shape, i, c);
      sum_dy += d;
      sum_dy_normed += d * (at(x, shape, i, c) - m) * r;
      dx[i * shape.c + c] = static_cast<T>(d * static_cast<double>(gamma[c]) * r);
    }
    dgamma[c] = static_cast<Master<T>>(sum_dy_normed);
    dbeta[c] = static_cast<Master<T>>(sum_dy);
  }
}

template <class T>
void batch_norm_update(Reference, const BatchNormShape& shape, double momentum, const T* mean, const T* rstd,
                       T* running_mean, T* running_variance) {
  for (std::int64_t c = 0; c < shape.c; ++c) {
    const double r = static_cast<double>(rstd[c]), variance = 1 / (r * r) - shape.epsilon;
    running_mean[c] = static_cast<T>(momentum * static_cast<double>(running_mean[c]) +
                                     (1 - momentum) * static_cast<double>(mean[c]));
    running_variance[c] =
        static_cast<T>(momentum * static_cast<double>(running_variance[c]) + (1 - momentum) * variance);
  }
}

#define ROENTGEN_INSTANTIATE(T)                                                                             \
  template void batch_norm_forward(Reference, const BatchNormShape&, const T*, const Master<T>*,            \
                                   const Master<T>*, T*, Master<T>*, Master<T>*);                           \
  template void batch_norm_backward(Reference, const BatchNormShape&, const T*, const T*, const Master<T>*, \
                                    const Master<T>*, const Master<T>*, T*, Master<T>*, Master<T>*);        \
  template void batch_norm_inference_forward(Reference, const BatchNormShape&, const T*, const Master<T>*,  \
                                             const Master<T>*, const Master<T>*, const Master<T>*, T*);     \
  template void batch_norm_inference_backward(Reference, const BatchNormShape&, const T*, const T*,         \
                                              const Master<T>*, const Master<T>*, const Master<T>*, T*,     \
                                              Master<T>*, Master<T>*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(double)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE
template void batch_norm_update(Reference, const BatchNormShape&, double, const float*, const float*, float*,
                                float*);
template void batch_norm_update(Reference, const BatchNormShape&, double, const double*, const double*,
                                double*, double*);

}  // namespace roentgen::kernels

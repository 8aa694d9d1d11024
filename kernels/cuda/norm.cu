#include "kernels/norm.h"

#include "kernels/cuda/reduction.h"

namespace roentgen::kernels {
namespace {

// Sums over the rows of x [rows, c]; the squares around the mean take a second pass, which loses no digits.
template <class T>
struct Value {
  const T* x;
  std::int64_t c;
  __device__ Sums<1> operator()(std::uint32_t channel, std::uint32_t row) const {
    return {{widen(x[row * c + channel])}};
  }
};
template <class T>
struct CentredSquare {
  const T* x;
  const float* mean;
  std::int64_t c;
  __device__ Sums<1> operator()(std::uint32_t channel, std::uint32_t row) const {
    const float centred = widen(x[row * c + channel]) - mean[channel];
    return {{centred * centred}};
  }
};
struct WriteMean {
  float rows;
  float* mean;
  __device__ void operator()(std::uint32_t channel, const Sums<1>& sums) const {
    mean[channel] = sums.at[0] / rows;
  }
};
struct WriteRstd {
  float rows, epsilon;
  float* rstd;
  __device__ void operator()(std::uint32_t channel, const Sums<1>& sums) const {
    rstd[channel] = 1.0f / sqrtf(sums.at[0] / rows + epsilon);
  }
};

// The deviation's inverse, as training keeps it or from a given variance.
struct Deviation {
  const float *rstd, *variance;
  float epsilon;
  __device__ float operator()(std::uint32_t channel) const {
    return rstd ? rstd[channel] : 1.0f / sqrtf(variance[channel] + epsilon);
  }
};

// {sum dy * (x - mean) * rstd, sum dy}: the gradients of gamma and beta.
template <class T>
struct ParameterGradient {
  const T *x, *dy;
  const float* mean;
  Deviation deviation;
  std::int64_t c;
  __device__ Sums<2> operator()(std::uint32_t channel, std::uint32_t row) const {
    const float d = widen(dy[row * c + channel]);
    return {{d * (widen(x[row * c + channel]) - mean[channel]) * deviation(channel), d}};
  }
};
struct WriteParameterGradient {
  float *dgamma, *dbeta;
  __device__ void operator()(std::uint32_t channel, const Sums<2>& sums) const {
    dgamma[channel] = sums.at[0];
    dbeta[channel] = sums.at[1];
  }
};

// y = (x - mean) * rstd * gamma + beta over [rows, c].
template <class T>
__global__ void __launch_bounds__(block_threads)
    normalise_kernel(std::int64_t n, std::int64_t c, const T* x, const float* gamma, const float* beta,
                     const float* mean, Deviation deviation, T* y) {
  for (std::int64_t i = thread_number(); i < n; i += thread_count()) {
    const auto channel = static_cast<std::uint32_t>(i % c);
    y[i] = narrow<T>((widen(x[i]) - mean[channel]) * deviation(channel) * gamma[channel] + beta[channel]);
  }
}

// Through the batch's statistics where rows > 0, with dgamma and dbeta already summed; else past them.
template <class T>
__global__ void __launch_bounds__(block_threads)
    data_gradient_kernel(std::int64_t n, std::int64_t c, float rows, const T* x, const T* dy,
                         const float* gamma, const float* mean, Deviation deviation, const float* dgamma,
                         const float* dbeta, T* dx) {
  for (std::int64_t i = thread_number(); i < n; i += thread_count()) {
    const auto channel = static_cast<std::uint32_t>(i % c);
    const float rstd = deviation(channel);
    float d = widen(dy[i]);
    if (rows > 0) {
      const float normed = (widen(x[i]) - mean[channel]) * rstd;
      d -= (dbeta[channel] + normed * dgamma[channel]) / rows;
    }
    dx[i] = narrow<T>(gamma[channel] * rstd * d);
  }
}

__global__ void __launch_bounds__(block_threads)
    update_kernel(std::int64_t c, float momentum, float rest, float epsilon, const float* mean,
                  const float* rstd, float* running_mean, float* running_variance) {
  for (std::int64_t i = thread_number(); i < c; i += thread_count()) {
    const float variance = 1.0f / (rstd[i] * rstd[i]) - epsilon;
    running_mean[i] = momentum * running_mean[i] + rest * mean[i];
    running_variance[i] = momentum * running_variance[i] + rest * variance;
  }
}

template <class T>
void normalise(Cuda device, const BatchNormShape& shape, const T* x, const float* gamma, const float* beta,
               const float* mean, const Deviation& deviation, T* y) {
  const std::int64_t n = shape.rows * shape.c;
  if (n == 0) return;
  launch(device, normalise_kernel<T>, blocks_for(n), block_threads, n, shape.c, x, gamma, beta, mean,
         deviation, y);
}

template <class T>
void backward(Cuda device, const BatchNormShape& shape, bool training, const T* x, const T* dy,
              const float* gamma, const float* mean, const Deviation& deviation, T* dx, float* dgamma,
              float* dbeta) {
  const std::int64_t n = shape.rows * shape.c;
  sum_over<2>(device, "batch_norm", shape.c, shape.rows, true,
              ParameterGradient<T>{x, dy, mean, deviation, shape.c}, WriteParameterGradient{dgamma, dbeta});
  if (n == 0) return;
  launch(device, data_gradient_kernel<T>, blocks_for(n), block_threads, n, shape.c,
         training ? static_cast<float>(shape.rows) : 0.0f, x, dy, gamma, mean, deviation, dgamma, dbeta, dx);
}

}  // namespace

template <class T>
void batch_norm_forward(Cuda device, const BatchNormShape& shape, const T* x, const Master<T>* gamma,
                        const Master<T>* beta, T* y, Master<T>* mean, Master<T>* rstd) {
  // A mean over no rows counts as 0.
  const float rows = static_cast<float>(std::max<std::int64_t>(shape.rows, 1));
  const float epsilon = static_cast<float>(shape.epsilon);
  sum_over<1>(device, "batch_norm", shape.c, shape.rows, true, Value<T>{x, shape.c}, WriteMean{rows, mean});
  sum_over<1>(device, "batch_norm", shape.c, shape.rows, true, CentredSquare<T>{x, mean, shape.c},
              WriteRstd{rows, epsilon, rstd});
  normalise(device, shape, x, gamma, beta, mean, Deviation{rstd, nullptr, epsilon}, y);
}

template <class T>
void batch_norm_backward(Cuda device, const BatchNormShape& shape, const T* x, const T* dy,
                         const Master<T>* gamma, const Master<T>* mean, const Master<T>* rstd, T* dx,
                         Master<T>* dgamma, Master<T>* dbeta) {
  backward(device, shape, true, x, dy, gamma, mean, Deviation{rstd, nullptr, 0}, dx, dgamma, dbeta);
}

template <class T>
void batch_norm_inference_forward(Cuda device, const BatchNormShape& shape, const T* x,
                                  const Master<T>* gamma, const Master<T>* beta, const Master<T>* mean,
                                  const Master<T>* variance, T* y) {
  normalise(device, shape, x, gamma, beta, mean,
            Deviation{nullptr, variance, static_cast<float>(shape.epsilon)}, y);
}

template <class T>
void batch_norm_inference_backward(Cuda device, const BatchNormShape& shape, const T* x, const T* dy,
                                   const Master<T>* gamma, const Master<T>* mean, const Master<T>* variance,
                                   T* dx, Master<T>* dgamma, Master<T>* dbeta) {
  backward(device, shape, false, x, dy, gamma, mean,
           Deviation{nullptr, variance, static_cast<float>(shape.epsilon)}, dx, dgamma, dbeta);
}

template <>
void batch_norm_update<float>(Cuda device, const BatchNormShape& shape, double momentum, const float* mean,
                              const float* rstd, float* running_mean, float* running_variance) {
  if (shape.c == 0) return;
  launch(device, update_kernel, blocks_for(shape.c), block_threads, shape.c, static_cast<float>(momentum),
         static_cast<float>(1 - momentum), static_cast<float>(shape.epsilon), mean, rstd, running_mean,
         running_variance);
}

#define ROENTGEN_INSTANTIATE(T)                                                                         \
  template void batch_norm_forward(Cuda, const BatchNormShape&, const T*, const Master<T>*,             \
                                   const Master<T>*, T*, Master<T>*, Master<T>*);                       \
  template void batch_norm_backward(Cuda, const BatchNormShape&, const T*, const T*, const Master<T>*,  \
                                    const Master<T>*, const Master<T>*, T*, Master<T>*, Master<T>*);    \
  template void batch_norm_inference_forward(Cuda, const BatchNormShape&, const T*, const Master<T>*,   \
                                             const Master<T>*, const Master<T>*, const Master<T>*, T*); \
  template void batch_norm_inference_backward(Cuda, const BatchNormShape&, const T*, const T*,          \
                                              const Master<T>*, const Master<T>*, const Master<T>*, T*, \
                                              Master<T>*, Master<T>*);
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels

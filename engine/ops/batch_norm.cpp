#include "engine/check.h"
#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"
#include "kernels/norm.h"

namespace roentgen::engine {
namespace {

kernels::BatchNormShape batch_norm_shape(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                                         const Tensor& mean, const Tensor& variance,
                                         const BatchNormOptions& options) {
  for (const Tensor& channels : {gamma, beta, mean, variance}) {
    require_same_device("batch_norm", x, channels);
    require(x.rank() >= 2 && channels.shape() == Shape{x.dim(-1)} && channels.dtype() == master_of(x.dtype()),
            "batch_norm: takes x [..., c] and gamma, beta, mean, variance [c], not {} {} with {} {}",
            to_string(x.dtype()), to_string(x.shape()), to_string(channels.dtype()),
            to_string(channels.shape()));
  }
  require(options.epsilon > 0 && options.momentum >= 0 && options.momentum <= 1,
          "batch_norm: takes epsilon above 0 and momentum in [0, 1], not {} and {}", options.epsilon,
          options.momentum);
  const std::int64_t c = x.dim(-1);
  return {.rows = c == 0 ? 0 : x.size() / c, .c = c, .epsilon = options.epsilon};
}

Tensor normalise_by_batch(const Tensor& x, const Tensor& gamma, const Tensor& beta,
                          const Tensor& running_mean, const Tensor& running_variance,
                          const kernels::BatchNormShape& shape, double momentum) {
  require(x.size() > 0, "batch_norm: {} has no elements to take statistics of", to_string(x.shape()));
  Tensor y(x.shape(), x.dtype(), x.device());
  const Tensor mean(gamma.shape(), gamma.dtype(), x.device()), rstd(gamma.shape(), gamma.dtype(), x.device());
  dispatch("batch_norm", x, [&]<class T>(auto device, T) {
    using M = Master<T>;
    kernels::batch_norm_forward(device, shape, x.data<T>(), gamma.data<M>(), beta.data<M>(), y.data<T>(),
                                mean.data<M>(), rstd.data<M>());
    kernels::batch_norm_update(device, shape, momentum, mean.data<M>(), rstd.data<M>(),
                               running_mean.data<M>(), running_variance.data<M>());
  });
  const GradientSlot to_x(x), to_gamma(gamma), to_beta(beta);
  return record(y, {x, gamma, beta},
                [=, x = x.detach(), gamma = gamma.detach()](const Tensor& dy) -> std::vector<Tensor> {
                  const Tensor dx = to_x.make_anyway(), dgamma = to_gamma.make_anyway(),
                               dbeta = to_beta.make_anyway();
                  dispatch("batch_norm", x, [&]<class T>(auto device, T) {
                    using M = Master<T>;
                    kernels::batch_norm_backward(device, shape, x.data<T>(), dy.data<T>(), gamma.data<M>(),
                                                 mean.data<M>(), rstd.data<M>(), dx.data<T>(),
                                                 dgamma.data<M>(), dbeta.data<M>());
                  });
                  return {dx, dgamma, dbeta};
                });
}

Tensor normalise_by_running(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
                            const Tensor& variance, const kernels::BatchNormShape& shape) {
  Tensor y(x.shape(), x.dtype(), x.device());
  dispatch("batch_norm", x, [&]<class T>(auto device, T) {
    using M = Master<T>;
    kernels::batch_norm_inference_forward(device, shape, x.data<T>(), gamma.data<M>(), beta.data<M>(),
                                          mean.data<M>(), variance.data<M>(), y.data<T>());
  });
  const GradientSlot to_x(x), to_gamma(gamma), to_beta(beta);
  return record(y, {x, gamma, beta},
                [=, x = x.detach(), gamma = gamma.detach(), mean = mean.detach(),
                 variance = variance.detach()](const Tensor& dy) -> std::vector<Tensor> {
                  const Tensor dx = to_x.make_anyway(), dgamma = to_gamma.make_anyway(),
                               dbeta = to_beta.make_anyway();
                  dispatch("batch_norm", x, [&]<class T>(auto device, T) {
                    using M = Master<T>;
                    kernels::batch_norm_inference_backward(
                        device, shape, x.data<T>(), dy.data<T>(), gamma.data<M>(), mean.data<M>(),
                        variance.data<M>(), dx.data<T>(), dgamma.data<M>(), dbeta.data<M>());
                  });
                  return {dx, dgamma, dbeta};
                });
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                  const Tensor& running_variance, const BatchNormOptions& options) {
  const kernels::BatchNormShape shape =
      batch_norm_shape(x, gamma, beta, running_mean, running_variance, options);
  return options.training
             ? normalise_by_batch(x, gamma, beta, running_mean, running_variance, shape, options.momentum)
             : normalise_by_running(x, gamma, beta, running_mean, running_variance, shape);
}

}  // namespace roentgen::engine

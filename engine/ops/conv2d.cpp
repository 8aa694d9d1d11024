#include "kernels/conv2d.h"

#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/ops/conv2d_shape.h"
#include "engine/tape.h"

namespace roentgen::engine {

Tensor conv2d(const Tensor& x, const Tensor& filters, const Tensor& bias, const Conv2dOptions& options) {
  const kernels::Conv2dShape shape = conv2d_shape("conv2d", x, filters, bias, options);
  Tensor y({shape.n, shape.out_h(), shape.out_w(), shape.k}, x.dtype(), x.device());
  const Tensor lowered = cast(filters.detach(), x.dtype());
  dispatch("conv2d", x, [&]<class T>(auto device, T) {
    kernels::conv2d_forward(device, shape, x.data<T>(), lowered.data<T>(),
                            bias.defined() ? bias.data<Master<T>>() : nullptr, y.data<T>());
  });
  const GradientSlot to_x(x), to_filters(filters), to_bias(bias);
  return record(y, {x, filters, bias}, [=, x = x.detach()](const Tensor& dy) -> std::vector<Tensor> {
    const Tensor dx = to_x.make(), dfilters = to_filters.make_anyway(), dbias = to_bias.make();
    dispatch("conv2d", x, [&]<class T>(auto device, T) {
      if (to_x.wanted()) {
        kernels::conv2d_backward_data(device, shape, dy.data<T>(), lowered.data<T>(), dx.data<T>());
      }
      if (to_filters.wanted() || to_bias.wanted()) {
        kernels::conv2d_backward_weights(device, shape, x.data<T>(), dy.data<T>(), dfilters.data<Master<T>>(),
                                         to_bias.wanted() ? dbias.data<Master<T>>() : nullptr);
      }
    });
    return {dx, dfilters, dbias};
  });
}

}  // namespace roentgen::engine

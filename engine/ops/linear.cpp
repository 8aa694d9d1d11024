#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/ops/linear_shape.h"
#include "engine/tape.h"
#include "kernels/matmul.h"

namespace roentgen::engine {

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  const kernels::LinearShape shape = linear_shape("linear", x, w, bias);
  Shape y_shape = x.shape();
  y_shape.back() = shape.out;
  Tensor y(y_shape, x.dtype(), x.device());
  const Tensor lowered = cast(w.detach(), x.dtype());
  dispatch("linear", x, [&]<class T>(auto device, T) {
    kernels::linear_forward(device, shape, x.data<T>(), lowered.data<T>(),
                            bias.defined() ? bias.data<Master<T>>() : nullptr, y.data<T>());
  });
  const GradientSlot to_x(x), to_w(w), to_bias(bias);
  return record(y, {x, w, bias}, [=, x = x.detach()](const Tensor& dy) -> std::vector<Tensor> {
    const Tensor dx = to_x.make(), dw = to_w.make_anyway(), dbias = to_bias.make();
    dispatch("linear", x, [&]<class T>(auto device, T) {
      if (to_x.wanted()) {
        kernels::linear_backward_data(device, shape, dy.data<T>(), lowered.data<T>(), dx.data<T>());
      }
      if (to_w.wanted() || to_bias.wanted()) {
        kernels::linear_backward_weights(device, shape, x.data<T>(), dy.data<T>(), dw.data<Master<T>>(),
                                         to_bias.wanted() ? dbias.data<Master<T>>() : nullptr);
      }
    });
    return {dx, dw, dbias};
  });
}

}  // namespace roentgen::engine

#include "engine/check.h"
#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"
#include "kernels/matmul.h"

namespace roentgen::engine {

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) {
  require_same_device("linear", x, w);
  require(w.rank() == 2 && x.rank() >= 1 && x.dim(-1) == w.dim(1) && w.dtype() == master_of(x.dtype()) &&
              (!bias.defined() || (bias.shape() == Shape{w.dim(0)} && bias.dtype() == w.dtype())),
          "linear: takes x [..., in], w [out, in], bias [out], not {} {}, {} {} and {}", to_string(x.dtype()),
          to_string(x.shape()), to_string(w.dtype()), to_string(w.shape()), to_string(bias.shape()));
  const std::int64_t in = w.dim(1), out = w.dim(0);
  const kernels::LinearShape shape{.rows = in == 0 ? 0 : x.size() / in, .in = in, .out = out};
  Shape y_shape = x.shape();
  y_shape.back() = out;
  Tensor y(y_shape, x.dtype(), x.device());
  const Tensor lowered = cast(w.detach(), x.dtype());
  dispatch("linear", x, [&]<class T>(auto device, T) {
    kernels::linear_forward(device, shape, x.data<T>(), lowered.data<T>(),
                            bias.defined() ? bias.data<Master<T>>() : nullptr, y.data<T>());
  });
  const GradientSlot to_x(x), to_w(w), to_bias(bias);
  return record(y, {x, w, bias}, [=, x = x.detach()](const Tensor& dy) -> std::vector<Tensor> {
    const Tensor dx = to_x.make(), dw = to_w.make(), dbias = to_bias.make();
    dispatch("linear", x, [&]<class T>(auto device, T) {
      if (to_x.wanted()) {
        kernels::linear_backward_data(device, shape, dy.data<T>(), lowered.data<T>(), dx.data<T>());
      }
      if (to_w.wanted() || to_bias.wanted()) {
        const Tensor weights = to_w.wanted() ? dw : Tensor({out, in}, master_of(x.dtype()), x.device());
        kernels::linear_backward_weights(device, shape, x.data<T>(), dy.data<T>(), weights.data<Master<T>>(),
                                         to_bias.wanted() ? dbias.data<Master<T>>() : nullptr);
      }
    });
    return {dx, dw, dbias};
  });
}

}  // namespace roentgen::engine

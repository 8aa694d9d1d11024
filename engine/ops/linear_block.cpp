#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/ops/linear_shape.h"
#include "engine/tape.h"
#include "kernels/blocks.h"

namespace roentgen::engine {

Tensor linear_block(const Tensor& x, const Tensor& w, const Tensor& bias, double rate, const RandomKey& key) {
  const kernels::LinearBlockShape shape{
      .linear = linear_shape("linear_block", x, w, bias), .rate = static_cast<float>(rate), .key = key};
  require(shape.rate >= 0 && shape.rate < 1, "linear_block: takes a rate in [0, 1), not {}", rate);
  Shape y_shape = x.shape();
  y_shape.back() = shape.linear.out;
  Tensor y(y_shape, x.dtype(), x.device());
  const Tensor lowered = cast(w.detach(), x.dtype());
  dispatch("linear_block", x, [&]<class T>(auto device, T) {
    kernels::linear_block_forward(device, shape, x.data<T>(), lowered.data<T>(),
                                  bias.defined() ? bias.data<Master<T>>() : nullptr, y.data<T>());
  });
  const GradientSlot to_x(x), to_w(w), to_bias(bias);
  return record(y, {x, w, bias}, [=, x = x.detach()](const Tensor& dy) -> std::vector<Tensor> {
    const Tensor dx = to_x.make(), dw = to_w.make_anyway(), dbias = to_bias.make();
    dispatch("linear_block", x, [&]<class T>(auto device, T) {
      kernels::linear_block_backward(device, shape, x.data<T>(), lowered.data<T>(), y.data<T>(), dy.data<T>(),
                                     to_x.wanted() ? dx.data<T>() : nullptr, dw.data<Master<T>>(),
                                     to_bias.wanted() ? dbias.data<Master<T>>() : nullptr);
    });
    return {dx, dw, dbias};
  });
}

}  // namespace roentgen::engine

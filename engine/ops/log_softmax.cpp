#include "engine/check.h"
#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"
#include "kernels/softmax.h"

namespace roentgen::engine {

Tensor log_softmax(const Tensor& x) {
  require(x.rank() >= 1, "log_softmax: takes x [..., c], not a scalar");
  const std::int64_t c = x.dim(-1), rows = c == 0 ? 0 : x.size() / c;
  Tensor y(x.shape(), x.dtype(), x.device());
  dispatch("log_softmax", x, [&]<class T>(auto device, T) {
    kernels::log_softmax_forward(device, x.data<T>(), y.data<T>(), rows, c);
  });
  return record(y, {x}, [=](const Tensor& dy) -> std::vector<Tensor> {
    Tensor dx(y.shape(), y.dtype(), y.device());
    dispatch("log_softmax", y, [&]<class T>(auto device, T) {
      kernels::log_softmax_backward(device, y.data<T>(), dy.data<T>(), dx.data<T>(), rows, c);
    });
    return {dx};
  });
}

}  // namespace roentgen::engine

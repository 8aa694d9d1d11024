#include "kernels/softmax.h"
#include "engine/check.h"
#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"

namespace roentgen::engine {

Tensor softmax(const Tensor& x) {
  require(x.rank() >= 1, "softmax: takes x [..., c], not a scalar");
  const std::int64_t c = x.dim(-1), rows = c == 0 ? 0 : x.size() / c;
  Tensor y(x.shape(), x.dtype(), x.device());
  dispatch("softmax", x, [&]<class T>(auto device, T) {
    kernels::softmax_forward(device, x.data<T>(), y.data<T>(), rows, c);
  });
  return record(y, {x}, [=](const Tensor& dy) -> std::vector<Tensor> {
    Tensor dx(y.shape(), y.dtype(), y.device());
    dispatch("softmax", y, [&]<class T>(auto device, T) {
      kernels::softmax_backward(device, y.data<T>(), dy.data<T>(), dx.data<T>(), rows, c);
    });
    return {dx};
  });
}

}  // namespace roentgen::engine

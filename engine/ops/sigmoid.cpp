#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"
#include "kernels/elementwise.h"

namespace roentgen::engine {

Tensor sigmoid(const Tensor& x) {
  Tensor y(x.shape(), x.dtype(), x.device());
  dispatch("sigmoid", x, [&]<class T>(auto device, T) {
    kernels::sigmoid_forward(device, x.data<T>(), y.data<T>(), x.size());
  });
  return record(y, {x}, [y](const Tensor& dy) -> std::vector<Tensor> {
    Tensor dx(y.shape(), y.dtype(), y.device());
    dispatch("sigmoid", y, [&]<class T>(auto device, T) {
      kernels::sigmoid_backward(device, y.data<T>(), dy.data<T>(), dx.data<T>(), y.size());
    });
    return {dx};
  });
}

}  // namespace roentgen::engine

#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"
#include "kernels/elementwise.h"

namespace roentgen::engine {

Tensor leaky_relu(const Tensor& x, double slope) {
  Tensor y(x.shape(), x.dtype(), x.device());
  dispatch("leaky_relu", x, [&]<class T>(auto device, T) {
    kernels::leaky_relu_forward(device, x.data<T>(), y.data<T>(), x.size(), slope);
  });
  return record(y, {x}, [slope, x = x.detach()](const Tensor& dy) -> std::vector<Tensor> {
    Tensor dx(x.shape(), x.dtype(), x.device());
    dispatch("leaky_relu", x, [&]<class T>(auto device, T) {
      kernels::leaky_relu_backward(device, x.data<T>(), dy.data<T>(), dx.data<T>(), x.size(), slope);
    });
    return {dx};
  });
}

}  // namespace roentgen::engine

#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"
#include "kernels/elementwise.h"

namespace roentgen::engine {

Tensor gelu(const Tensor& x) {
  Tensor y(x.shape(), x.dtype(), x.device());
  dispatch("gelu", x, [&]<class T>(auto device, T) {
    kernels::gelu_forward(device, x.data<T>(), y.data<T>(), x.size());
  });
  return record(y, {x}, [x = x.detach()](const Tensor& dy) -> std::vector<Tensor> {
    Tensor dx(x.shape(), x.dtype(), x.device());
    dispatch("gelu", x, [&]<class T>(auto device, T) {
      kernels::gelu_backward(device, x.data<T>(), dy.data<T>(), dx.data<T>(), x.size());
    });
    return {dx};
  });
}

}  // namespace roentgen::engine

#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"
#include "kernels/elementwise.h"

namespace roentgen::engine {
namespace {

Tensor scaled(const Tensor& x, double factor) {
  Tensor y(x.shape(), x.dtype(), x.device());
  dispatch("scale", x, [&]<class T>(auto device, T) {
    kernels::scale(device, x.data<T>(), y.data<T>(), x.size(), factor);
  });
  return y;
}

}  // namespace

Tensor scale(const Tensor& x, double factor) {
  return record(scaled(x, factor), {x},
                [factor](const Tensor& dy) -> std::vector<Tensor> { return {scaled(dy, factor)}; });
}

}  // namespace roentgen::engine

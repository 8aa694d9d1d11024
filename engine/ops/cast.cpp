#include "engine/check.h"
#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"
#include "kernels/elementwise.h"

namespace roentgen::engine {
namespace {

Tensor convert(const Tensor& x, DType dtype) {
  Tensor y(x.shape(), dtype, x.device());
  dispatch("cast", x, [&]<class D, class From>(D device, From) {
    dispatch("cast", y, [&]<class To>(auto, To) {
      if constexpr (computes<D, To>) kernels::cast(device, x.data<From>(), y.data<To>(), x.size());
    });
  });
  return y;
}

}  // namespace

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  return record(convert(x, dtype), {x}, [dtype = x.dtype()](const Tensor& dy) -> std::vector<Tensor> {
    return {convert(dy, dtype)};
  });
}

}  // namespace roentgen::engine

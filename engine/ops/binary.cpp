// Arithmetic with broadcasting. The gradient of an input is one of these products, summed over the axes along
// which the input was repeated.
#include "kernels/binary.h"

#include <algorithm>

#include "engine/axes.h"
#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"

namespace roentgen::engine {
namespace {

// Strides of `shape` seen as `wide`: 0 along axes that it repeats over.
Shape broadcast_strides(const Shape& shape, const Shape& wide) {
  const Shape own = strides_of(shape);
  Shape strides(wide.size(), 0);
  const std::size_t missing = wide.size() - shape.size();
  for (std::size_t i = 0; i < shape.size(); ++i) strides[missing + i] = shape[i] == 1 ? 0 : own[i];
  return strides;
}

Shape broadcast_shape(const char* op, const Tensor& a, const Tensor& b) {
  const std::size_t rank = std::max(a.shape().size(), b.shape().size());
  Shape wide(rank, 1);
  for (const Tensor& x : {a, b}) {
    const std::size_t missing = rank - x.shape().size();
    for (std::size_t i = 0; i < x.shape().size(); ++i) {
      const std::int64_t extent = x.shape()[i];
      std::int64_t& known = wide[missing + i];
      require(extent == 1 || known == 1 || extent == known, "{}: shapes {} and {} do not broadcast", op,
              to_string(a.shape()), to_string(b.shape()));
      if (extent != 1) known = extent;
    }
  }
  require_rank(op, wide);
  return wide;
}

// kernel(device, a, b, y, broadcast) on detached tensors.
template <class Kernel>
Tensor apply(const char* op, const Tensor& a, const Tensor& b, Kernel kernel) {
  require_same_device(op, a, b);
  require(a.dtype() == b.dtype(), "{}: inputs are {} and {}; cast one", op, to_string(a.dtype()),
          to_string(b.dtype()));
  const Shape wide = broadcast_shape(op, a, b);
  const Shape a_strides = broadcast_strides(a.shape(), wide), b_strides = broadcast_strides(b.shape(), wide);
  kernels::Broadcast shape{.rank = static_cast<int>(wide.size())};
  std::copy(wide.begin(), wide.end(), shape.dims);
  std::copy(a_strides.begin(), a_strides.end(), shape.a_strides);
  std::copy(b_strides.begin(), b_strides.end(), shape.b_strides);
  Tensor y(wide, a.dtype(), a.device());
  dispatch(op, y,
           [&]<class T>(auto device, T) { kernel(device, a.data<T>(), b.data<T>(), y.data<T>(), shape); });
  return y;
}

constexpr auto add_kernel = [](auto... arguments) { kernels::add(arguments...); };
constexpr auto sub_kernel = [](auto... arguments) { kernels::sub(arguments...); };
constexpr auto mul_kernel = [](auto... arguments) { kernels::mul(arguments...); };
constexpr auto div_kernel = [](auto... arguments) { kernels::div(arguments...); };

// Sums a gradient of the wide shape over the axes that `shape` was repeated along.
Tensor sum_to(const Tensor& gradient, const Shape& shape) {
  if (gradient.shape() == shape) return gradient;
  const std::size_t missing = gradient.shape().size() - shape.size();
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < gradient.shape().size(); ++i) {
    const bool repeated = i < missing || (shape[i - missing] == 1 && gradient.shape()[i] != 1);
    if (repeated) axes.push_back(static_cast<std::int64_t>(i));
  }
  return sum(gradient, axes).view(shape);
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  const bool to_a = wants_gradient(a), to_b = wants_gradient(b);
  return record(apply("add", a, b, add_kernel), {a, b},
                [=, a = a.shape(), b = b.shape()](const Tensor& dy) -> std::vector<Tensor> {
                  return {to_a ? sum_to(dy, a) : Tensor{}, to_b ? sum_to(dy, b) : Tensor{}};
                });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  const bool to_a = wants_gradient(a), to_b = wants_gradient(b);
  return record(apply("sub", a, b, sub_kernel), {a, b},
                [=, a = a.shape(), b = b.shape()](const Tensor& dy) -> std::vector<Tensor> {
                  return {to_a ? sum_to(dy, a) : Tensor{}, to_b ? scale(sum_to(dy, b), -1) : Tensor{}};
                });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  const bool to_a = wants_gradient(a), to_b = wants_gradient(b);
  return record(apply("mul", a, b, mul_kernel), {a, b},
                [=, a = a.detach(), b = b.detach()](const Tensor& dy) -> std::vector<Tensor> {
                  return {to_a ? sum_to(apply("mul", dy, b, mul_kernel), a.shape()) : Tensor{},
                          to_b ? sum_to(apply("mul", dy, a, mul_kernel), b.shape()) : Tensor{}};
                });
}

// d(a / b) = da / b - a / b^2 db.
Tensor div(const Tensor& a, const Tensor& b) {
  const bool to_a = wants_gradient(a), to_b = wants_gradient(b);
  const Tensor y = apply("div", a, b, div_kernel);
  return record(y, {a, b}, [=, a = a.shape(), b = b.detach()](const Tensor& dy) -> std::vector<Tensor> {
    const Tensor da = apply("div", dy, b, div_kernel);
    return {to_a ? sum_to(da, a) : Tensor{},
            to_b ? scale(sum_to(apply("mul", da, y, mul_kernel), b.shape()), -1) : Tensor{}};
  });
}

}  // namespace roentgen::engine

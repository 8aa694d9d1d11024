#include "kernels/reduce.h"

#include "engine/axes.h"
#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"

namespace roentgen::engine {
namespace {

struct Plan {
  kernels::Reduction kernel;
  Shape y_shape;           // as returned
  Shape strides_over_x;    // of y while walking over x: 0 along reduced axes
  std::int64_t count = 1;  // of elements behind each result
};

Plan plan_reduction(const char* op, const Tensor& x, const std::vector<std::int64_t>& axes, bool keep_dims) {
  require(x.defined(), "{}: an input was never given a value", op);
  require_rank(op, x.shape());
  std::vector<bool> reduced(x.shape().size(), axes.empty());
  for (const std::int64_t axis : axes) {
    const std::size_t i = resolve_axis(op, x.shape(), axis);
    require(!reduced[i], "{}: axis {} of {} is given twice", op, axis, to_string(x.shape()));
    reduced[i] = true;
  }
  Plan plan;
  const Shape strides = strides_of(x.shape());
  Shape kept_shape;
  for (std::size_t i = 0; i < reduced.size(); ++i) {
    auto& [kept_rank, kept, kept_strides, reduced_rank, extents, reduced_strides] = plan.kernel;
    if (reduced[i]) {
      extents[reduced_rank] = x.shape()[i];
      reduced_strides[reduced_rank++] = strides[i];
      plan.count *= x.shape()[i];
    } else {
      kept[kept_rank] = x.shape()[i];
      kept_strides[kept_rank++] = strides[i];
      kept_shape.push_back(x.shape()[i]);
    }
    if (!reduced[i] || keep_dims) plan.y_shape.push_back(reduced[i] ? 1 : x.shape()[i]);
  }
  const Shape kept_strides = strides_of(kept_shape);
  std::size_t next = 0;
  for (const bool gone : reduced) plan.strides_over_x.push_back(gone ? 0 : kept_strides[next++]);
  return plan;
}

// y = factor * sum. The gradient is factor * dy, repeated along the reduced axes.
Tensor scaled_sum(const char* op, const Tensor& x, const Plan& plan, double factor) {
  Tensor y(plan.y_shape, x.dtype(), x.device());
  dispatch(op, x, [&]<class T>(auto device, T) {
    kernels::sum(device, x.data<T>(), y.data<T>(), plan.kernel, factor);
  });
  return record(y, {x}, [=, shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
    const Tensor each = factor == 1 ? dy : scale(dy, factor);
    Tensor dx(shape, dy.dtype(), dy.device());
    const kernels::StridedCopy copy = strided(shape, plan.strides_over_x, strides_of(shape));
    dispatch(op, dx, [&]<class T>(auto device, T) {
      kernels::strided_copy(device, each.data<T>(), dx.data<T>(), copy);
    });
    return {dx};
  });
}

}  // namespace

Tensor sum(const Tensor& x, const std::vector<std::int64_t>& axes, bool keep_dims) {
  return scaled_sum("sum", x, plan_reduction("sum", x, axes, keep_dims), 1);
}

Tensor mean(const Tensor& x, const std::vector<std::int64_t>& axes, bool keep_dims) {
  const Plan plan = plan_reduction("mean", x, axes, keep_dims);
  require(plan.count > 0, "mean: {} has nothing to average", to_string(x.shape()));
  return scaled_sum("mean", x, plan, 1.0 / static_cast<double>(plan.count));
}

Tensor max(const Tensor& x, const std::vector<std::int64_t>& axes, bool keep_dims) {
  const Plan plan = plan_reduction("max", x, axes, keep_dims);
  require(plan.count > 0, "max: {} has nothing to compare", to_string(x.shape()));
  Tensor y(plan.y_shape, x.dtype(), x.device());
  const Tensor argmax(y.shape(), DType::int64, x.device());
  dispatch("max", x, [&]<class T>(auto device, T) {
    kernels::max_forward(device, x.data<T>(), y.data<T>(), argmax.data<std::int64_t>(), plan.kernel);
  });
  return record(y, {x}, [argmax, shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
    Tensor dx(shape, dy.dtype(), dy.device());
    dispatch("max", dy, [&]<class T>(auto device, T) {
      kernels::max_backward(device, dy.data<T>(), argmax.data<std::int64_t>(), dx.data<T>(), dx.size(),
                            dy.size());
    });
    return {dx};
  });
}

}  // namespace roentgen::engine

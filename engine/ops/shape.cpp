// Ops that move elements. Each is a strided copy, and its backward is the copy the other way.
#include <algorithm>

#include "engine/axes.h"
#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"

namespace roentgen::engine {
namespace {

// Copies `shape` elements from x + x_offset to y + y_offset, in elements.
void copy(const char* op, const Tensor& x, std::int64_t x_offset, const Tensor& y, std::int64_t y_offset,
          const kernels::StridedCopy& shape) {
  dispatch(op, y, [&]<class T>(auto device, T) {
    kernels::strided_copy(device, x.data<T>() + x_offset, y.data<T>() + y_offset, shape);
  });
}

}  // namespace

Tensor permute(const Tensor& x, const std::vector<std::int64_t>& order) {
  require(x.defined(), "permute: an input was never given a value");
  require_rank("permute", x.shape());
  std::vector<bool> seen(x.shape().size(), false);
  bool valid = order.size() == x.shape().size();
  const Shape strides = strides_of(x.shape());
  Shape y_shape, walk;
  for (std::size_t i = 0; valid && i < order.size(); ++i) {
    const std::size_t axis = resolve_axis("permute", x.shape(), order[i]);
    valid = !seen[axis];
    seen[axis] = true;
    y_shape.push_back(x.shape()[axis]);
    walk.push_back(strides[axis]);
  }
  require(valid, "permute: {} does not name each axis of {} once", to_string(order), to_string(x.shape()));
  Tensor y(y_shape, x.dtype(), x.device());
  copy("permute", x, 0, y, 0, strided(y_shape, walk, strides_of(y_shape)));
  return record(y, {x}, [=, shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
    Tensor dx(shape, dy.dtype(), dy.device());
    copy("permute", dy, 0, dx, 0, strided(y_shape, strides_of(y_shape), walk));
    return {dx};
  });
}

Tensor concat(const std::vector<Tensor>& parts, std::int64_t axis) {
  require(!parts.empty() && parts.front().defined(), "concat: takes at least one tensor");
  const Tensor& first = parts.front();
  require_rank("concat", first.shape());
  const std::size_t along = resolve_axis("concat", first.shape(), axis);
  Shape y_shape = first.shape();
  y_shape[along] = 0;
  std::vector<std::int64_t> offsets;
  for (const Tensor& part : parts) {
    require_same_device("concat", first, part);
    Shape expected = first.shape();
    if (part.rank() == first.rank()) expected[along] = part.shape()[along];
    require(part.shape() == expected && part.dtype() == first.dtype(),
            "concat: {} {} does not fit {} {} along axis {}", to_string(part.dtype()),
            to_string(part.shape()), to_string(first.dtype()), to_string(first.shape()), axis);
    offsets.push_back(y_shape[along]);
    y_shape[along] += part.shape()[along];
  }
  const Shape strides = strides_of(y_shape);
  Tensor y(y_shape, first.dtype(), first.device());
  std::vector<Shape> shapes;
  std::vector<bool> wanted;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Shape& shape = parts[i].shape();
    copy("concat", parts[i], 0, y, offsets[i] * strides[along], strided(shape, strides_of(shape), strides));
    shapes.push_back(shape);
    wanted.push_back(wants_gradient(parts[i]));
  }
  return record(y, parts, [=](const Tensor& dy) -> std::vector<Tensor> {
    std::vector<Tensor> gradients(shapes.size());
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (!wanted[i]) continue;
      gradients[i] = Tensor(shapes[i], dy.dtype(), dy.device());
      copy("concat", dy, offsets[i] * strides[along], gradients[i], 0,
           strided(shapes[i], strides, strides_of(shapes[i])));
    }
    return gradients;
  });
}

Tensor slice(const Tensor& x, std::int64_t axis, std::int64_t first, std::int64_t last, std::int64_t step) {
  require(x.defined(), "slice: an input was never given a value");
  require_rank("slice", x.shape());
  const std::size_t along = resolve_axis("slice", x.shape(), axis);
  require(0 <= first && first <= last && last <= x.shape()[along] && step >= 1,
          "slice: elements {} to {} by {} of axis {} of {} do not exist", first, last, step, axis,
          to_string(x.shape()));
  const Shape strides = strides_of(x.shape());
  const std::int64_t offset = first * strides[along];
  Shape y_shape = x.shape(), walk = strides;
  y_shape[along] = (last - first + step - 1) / step;
  walk[along] *= step;
  Tensor y(y_shape, x.dtype(), x.device());
  copy("slice", x, offset, y, 0, strided(y_shape, walk, strides_of(y_shape)));
  return record(y, {x}, [=, shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
    const Tensor dx = Tensor::zeros(shape, dy.dtype(), dy.device());
    copy("slice", dy, 0, dx, offset, strided(y_shape, strides_of(y_shape), walk));
    return {dx};
  });
}

Tensor pad(const Tensor& x, const std::vector<std::int64_t>& before, const std::vector<std::int64_t>& after,
           double value) {
  require(x.defined(), "pad: an input was never given a value");
  require_rank("pad", x.shape());
  const auto negative = [](std::int64_t extent) { return extent < 0; };
  require(before.size() == x.shape().size() && after.size() == x.shape().size() &&
              std::none_of(before.begin(), before.end(), negative) &&
              std::none_of(after.begin(), after.end(), negative),
          "pad: takes an extent of 0 or more for each axis of {}, not {} and {}", to_string(x.shape()),
          to_string(before), to_string(after));
  Shape y_shape = x.shape();
  for (std::size_t i = 0; i < y_shape.size(); ++i) y_shape[i] += before[i] + after[i];
  const Shape strides = strides_of(y_shape);
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < y_shape.size(); ++i) offset += before[i] * strides[i];
  const Tensor y = Tensor::full(y_shape, value, x.dtype(), x.device());
  copy("pad", x, 0, y, offset, strided(x.shape(), strides_of(x.shape()), strides));
  return record(y, {x}, [=, shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> {
    Tensor dx(shape, dy.dtype(), dy.device());
    copy("pad", dy, offset, dx, 0, strided(shape, strides, strides_of(shape)));
    return {dx};
  });
}

}  // namespace roentgen::engine

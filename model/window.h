// A window that slides along one axis: extents and padding of convolution and pooling.
#pragma once

#include <algorithm>

#include "model/layers.h"

namespace roentgen::model {

struct Window {
  std::int64_t size = 1, stride = 1, dilation = 1;
  Padding padding = Padding::valid;

  std::int64_t span() const { return dilation * (size - 1) + 1; }
  // Below 1 where the window is larger than the axis.
  std::int64_t output(std::int64_t extent) const {
    if (padding == Padding::same) return (extent + stride - 1) / stride;
    return extent < span() ? 0 : (extent - span()) / stride + 1;
  }
  std::int64_t padding_in_all(std::int64_t extent) const {
    if (padding == Padding::valid) return 0;
    return std::max<std::int64_t>(0, (output(extent) - 1) * stride + span() - extent);
  }
  std::int64_t before(std::int64_t extent) const { return padding_in_all(extent) / 2; }
  std::int64_t after(std::int64_t extent) const { return padding_in_all(extent) - before(extent); }
};

// x [n, h, w, c] and the padding that is left for the op: padding that differs between the two sides of an
// axis, which ops do not know, is added to x as elements of `value`.
struct Padded {
  Tensor x;
  std::int64_t pad_h = 0, pad_w = 0;
};
Padded pad_for(const Tensor& x, const Window& rows, const Window& columns, double value);

std::string to_string(Padding padding);

}  // namespace roentgen::model

#include "model/window.h"

namespace roentgen::model {

Padded pad_for(const Tensor& x, const Window& rows, const Window& columns, double value) {
  const std::int64_t h = x.dim(1), w = x.dim(2);
  const std::int64_t top = rows.before(h), bottom = rows.after(h);
  const std::int64_t left = columns.before(w), right = columns.after(w);
  if (top == bottom && left == right) return {x, top, left};
  return {engine::pad(x, {0, top, left, 0}, {0, bottom, right, 0}, value), 0, 0};
}

std::string to_string(Padding padding) {
  return padding == Padding::same ? "same" : "valid";
}

}  // namespace roentgen::model

#include <algorithm>

#include "engine/check.h"
#include "engine/ops.h"
#include "engine/tape.h"

namespace roentgen::engine {

Tensor reshape(const Tensor& x, Shape shape) {
  require(x.defined(), "reshape: an input was never given a value");
  const Shape asked = shape;
  const auto open = std::find(shape.begin(), shape.end(), -1);
  if (open != shape.end()) {
    *open = 1;
    require(std::all_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent >= 0; }),
            "reshape: {} has more than one open or negative extent", to_string(asked));
    const std::int64_t known = element_count(shape);
    *open = known == 0 ? 0 : x.size() / known;
  }
  require(std::all_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent >= 0; }) &&
              element_count(shape) == x.size(),
          "reshape: {} cannot be seen as {}", to_string(x.shape()), to_string(asked));
  return record(x.view(std::move(shape)), {x},
                [shape = x.shape()](const Tensor& dy) -> std::vector<Tensor> { return {dy.view(shape)}; });
}

Tensor flatten(const Tensor& x) {
  require(x.defined() && x.rank() >= 1, "flatten: takes x [n, ...], not a scalar");
  std::int64_t rest = 1;
  for (std::int64_t i = 1; i < x.rank(); ++i) rest *= x.dim(i);
  return reshape(x, {x.dim(0), rest});
}

}  // namespace roentgen::engine

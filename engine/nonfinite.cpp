#include "engine/nonfinite.h"

#include "engine/dispatch.h"
#include "kernels/elementwise.h"

namespace roentgen::engine {

std::optional<std::int64_t> first_nonfinite(const Tensor& x) {
  std::int64_t index = -1;
  dispatch("first_nonfinite", x,
           [&]<class T>(auto device, T) { index = kernels::first_nonfinite(device, x.data<T>(), x.size()); });
  return index < 0 ? std::nullopt : std::optional(index);
}

}  // namespace roentgen::engine

#include "engine/check.h"
#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"
#include "kernels/random.h"

namespace roentgen::engine {
namespace {

// The mask is a function of the key, so that forward and backward are the same call.
Tensor masked(const Tensor& x, double rate, const RandomKey& key) {
  Tensor y(x.shape(), x.dtype(), x.device());
  dispatch("dropout", x, [&]<class T>(auto device, T) {
    kernels::dropout(device, x.data<T>(), y.data<T>(), x.size(), static_cast<float>(rate), key);
  });
  return y;
}

}  // namespace

Tensor dropout(const Tensor& x, double rate, const RandomKey& key) {
  require(rate >= 0 && static_cast<float>(rate) < 1, "dropout: takes a rate in [0, 1), not {}", rate);
  if (rate == 0) return x;
  return record(masked(x, rate, key), {x},
                [rate, key](const Tensor& dy) -> std::vector<Tensor> { return {masked(dy, rate, key)}; });
}

}  // namespace roentgen::engine

// Which engine computes what. In float the own kernels are as fast as oneDNN's or faster at every shape
// measured, so oneDNN serves bfloat16 where there is no AMX, or none for the shape.
#include "kernels/cpu/conv_engine.h"

#include "kernels/cpu/amx.h"
#include "kernels/cpu/native_bfloat16.h"
#include "kernels/cpu/onednn.h"

namespace roentgen::kernels {

Engines& allowed_engines() {
  static Engines engines;
  return engines;
}

template <>
std::unique_ptr<ForwardEngine<float>> make_forward_engine(const Correlation& shape, std::int64_t rows) {
  constexpr std::int64_t large_filters = 1 << 18;  // elements: a megabyte
  const bool large = allowed_engines().onednn && shape.filter_size() > large_filters;
  if (large || !allowed_engines().direct)
    if (auto engine = onednn_forward<float>(shape, rows)) return engine;
  return direct_forward(shape);
}
template <>
std::unique_ptr<GradientEngine<float>> make_gradient_engine(const Correlation& shape, std::int64_t rows) {
  if (!allowed_engines().direct)
    if (auto engine = onednn_gradient<float>(shape, rows)) return engine;
  return direct_gradient(shape);
}

template <>
std::unique_ptr<ForwardEngine<bfloat16>> make_forward_engine(const Correlation& shape, std::int64_t rows) {
  if (allowed_engines().amx)
    if (auto engine = amx_forward(shape)) return engine;
  return allowed_engines().onednn ? onednn_forward<bfloat16>(shape, rows) : nullptr;
}
template <>
std::unique_ptr<GradientEngine<bfloat16>> make_gradient_engine(const Correlation& shape, std::int64_t rows) {
  if (allowed_engines().amx)
    if (auto engine = amx_gradient(shape)) return engine;
  return allowed_engines().onednn ? onednn_gradient<bfloat16>(shape, rows) : nullptr;
}

bool native_bfloat16() {
  return has_amx() || onednn_has_bfloat16();
}

}  // namespace roentgen::kernels

// Checks shared by the ops: one sentence that names the op, what it got and what it takes.
#pragma once

#include <fmt/format.h>

#include <stdexcept>

#include "engine/tensor.h"

namespace roentgen::engine {

template <class... Args>
void require(bool condition, fmt::format_string<Args...> message, Args&&... args) {
  if (!condition) throw std::invalid_argument(fmt::format(message, std::forward<Args>(args)...));
}

// Throws unless all are defined and live on the same device.
inline void require_same_device(const char* op, const Tensor& a, const Tensor& b) {
  require(a.defined() && b.defined(), "{}: an input was never given a value", op);
  require(a.device() == b.device(), "{}: inputs on {} and {}; move one with to()", op, to_string(a.device()),
          to_string(b.device()));
}

}  // namespace roentgen::engine

// From a tensor's device and type to the overload of a kernel.
#pragma once

#include <stdexcept>
#include <string>
#include <type_traits>
#include <variant>

#include "engine/tensor.h"

namespace roentgen::engine {

// Calls f(tag) with the device's tag.
template <class F>
decltype(auto) on(const Device& device, F&& f) {
  return std::visit(std::forward<F>(f), device);
}

// float64 is for proofs: only `reference` computes in it.
template <class D, class T>
inline constexpr bool computes = std::is_same_v<D, kernels::Reference> || !std::is_same_v<T, double>;

// Calls f(tag, T{}) for x's device and floating type. Throws std::invalid_argument for others, naming the op.
template <class F>
void dispatch(const char* op, const Tensor& x, F&& f) {
  if (!x.defined()) throw std::invalid_argument(std::string(op) + ": an input was never given a value");
  on(x.device(), [&](auto device) {
    using D = decltype(device);
    const auto with = [&]<class T>(T zero) {
      if constexpr (computes<D, T>) {
        f(device, zero);
      } else {
        throw std::invalid_argument(std::string(op) +
                                    ": float64 is computed on device reference only, not on " +
                                    to_string(x.device()));
      }
    };
    switch (x.dtype()) {
      case DType::float32:
        return with(float{});
      case DType::float64:
        return with(double{});
      case DType::bfloat16:
        return with(bfloat16{});
      default:
        throw std::invalid_argument(std::string(op) + ": takes floating tensors, not " +
                                    to_string(x.dtype()));
    }
  });
}

// For tensors that are never bfloat16: parameters, optimiser state, losses.
template <class F>
void dispatch_master(const char* op, const Tensor& x, F&& f) {
  dispatch(op, x, [&](auto device, auto zero) {
    if constexpr (std::is_same_v<decltype(zero), bfloat16>) {
      throw std::invalid_argument(std::string(op) + ": takes float32 or float64, not bfloat16");
    } else {
      f(device, zero);
    }
  });
}

}  // namespace roentgen::engine

#include <fmt/format.h>

#include <stdexcept>

#include "kernels/cuda/cudnn_descriptors.h"
#include "kernels/cuda/cudnn_kernels.h"
#include "kernels/cuda/cudnn_library.h"

namespace roentgen::kernels::cudnn {
namespace {

std::int64_t state_bytes(cudnnHandle_t handle) {
  std::size_t bytes = 0;
  check(cudnnDropoutGetStatesSize(handle, &bytes));
  return static_cast<std::int64_t>(bytes);
}

}  // namespace

struct Dropout::State {
  Cuda device;
  cudnnHandle_t handle;
  DropoutDescriptor descriptor;
  Scratch<std::byte> generator;

  explicit State(Cuda d)
      : device(d), handle(d.context->part<Library>().handle()), generator(d, state_bytes(handle)) {}
};

Dropout::Dropout(Cuda device, float rate, std::uint64_t seed) {
  if (!(rate >= 0 && rate < 1))
    throw std::invalid_argument(fmt::format("dropout: rate {} is not in [0, 1)", rate));
  device.context->activate();
  state_ = std::make_unique<State>(device);
  check(cudnnSetDropoutDescriptor(state_->descriptor.get(), state_->handle, rate, state_->generator.data(),
                                  static_cast<std::size_t>(state_bytes(state_->handle)), seed));
}
Dropout::~Dropout() = default;
Dropout::Dropout(Dropout&&) noexcept = default;
Dropout& Dropout::operator=(Dropout&&) noexcept = default;

template <class T>
std::size_t Dropout::mask_bytes(std::int64_t n) const {
  const auto tensor = tensor_descriptor<T>(1, 1, 1, n);
  std::size_t bytes = 0;
  if (tensor) check(cudnnDropoutGetReserveSpaceSize(tensor->get(), &bytes));
  return bytes;
}

template <class T>
bool Dropout::forward(const T* x, T* y, std::int64_t n, std::uint8_t* mask) const {
  const auto tensor = tensor_descriptor<T>(1, 1, 1, n);
  if (!tensor) return false;
  state_->device.context->activate();
  return succeeded(cudnnDropoutForward(state_->handle, state_->descriptor.get(), tensor->get(), x,
                                       tensor->get(), y, mask, mask_bytes<T>(n)));
}

template <class T>
bool Dropout::backward(const T* dy, T* dx, std::int64_t n, std::uint8_t* mask) const {
  const auto tensor = tensor_descriptor<T>(1, 1, 1, n);
  if (!tensor) return false;
  state_->device.context->activate();
  return succeeded(cudnnDropoutBackward(state_->handle, state_->descriptor.get(), tensor->get(), dy,
                                        tensor->get(), dx, mask, mask_bytes<T>(n)));
}

#define ROENTGEN_INSTANTIATE(T)                                                    \
  template std::size_t Dropout::mask_bytes<T>(std::int64_t) const;                 \
  template bool Dropout::forward(const T*, T*, std::int64_t, std::uint8_t*) const; \
  template bool Dropout::backward(const T*, T*, std::int64_t, std::uint8_t*) const;
ROENTGEN_INSTANTIATE(float)
ROENTGEN_INSTANTIATE(bfloat16)
#undef ROENTGEN_INSTANTIATE

}  // namespace roentgen::kernels::cudnn

#include "engine/device.h"

#include <algorithm>
#include <type_traits>

#include "engine/check.h"
#include "kernels/cuda/context.h"

namespace roentgen::engine {
namespace {

// Templates on the device, so that a build without CUDA refers to nothing of it.
template <class D>
constexpr bool has_cuda = std::is_constructible_v<D, kernels::Cuda>;

template <class D>
D best_device() {
  if constexpr (has_cuda<D>) {
    if (kernels::cuda_device_count() > 0) return kernels::cuda_device(0);
  }
  return kernels::Cpu{};
}

template <class D>
D cuda_device(const std::string& name, int ordinal) {
  if constexpr (has_cuda<D>) return kernels::cuda_device(ordinal);
  throw DeviceError("device " + name +
                    " is not in this build, which has no CUDA: configure with -DROENTGEN_CUDA=ON where the "
                    "CUDA toolkit is installed, or choose cpu");
}

}  // namespace

Device parse_device(const std::string& name) {
  if (name == "auto") return best_device<Device>();
  if (name == "cpu") return kernels::Cpu{};
  if (name == "reference") return kernels::Reference{};
  const std::string prefix = "cuda:";
  const bool numbered =
      name.size() > prefix.size() && name.size() <= prefix.size() + 3 && name.starts_with(prefix) &&
      std::all_of(name.begin() + 5, name.end(), [](char c) { return '0' <= c && c <= '9'; });
  require(name == "cuda" || numbered, "device: '{}' is none of auto, cpu, reference, cuda and cuda:N", name);
  return cuda_device<Device>(name, numbered ? std::stoi(name.substr(prefix.size())) : 0);
}

}  // namespace roentgen::engine

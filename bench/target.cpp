#include "bench/target.h"

#include "kernels/cpu/onednn.h"
#if ROENTGEN_WITH_CUDA
#include "kernels/cuda/context.h"
#endif

namespace roentgen::bench {

const std::vector<Target>& targets() {
  static const std::vector<Target> all = [] {
    std::vector<Target> found = {{"cpu", kernels::Cpu{}}, {"reference", kernels::Reference{}}};
#if ROENTGEN_WITH_CUDA
    if (kernels::cuda_device_count() > 0) found.push_back({"cuda", kernels::cuda_device(0)});
#endif
    return found;
  }();
  return all;
}

const std::vector<Target>& engine_targets() {
  static const std::vector<Target> all = [] {
    std::vector<Target> found;
    const kernels::Correlation any{.in_w = 34, .c = 32, .out_w = 32, .k = 32, .r = 3, .s = 3};
    if (kernels::onednn_forward<float>(any, 4)) {
      found.push_back({"cpu-onednn", kernels::Cpu{}, {.direct = false, .amx = false}});
    }
    return found;
  }();
  return all;
}

}  // namespace roentgen::bench

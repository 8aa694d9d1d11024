#include "engine/memory.h"

#include "engine/dispatch.h"

namespace roentgen::engine {

kernels::MemoryStats memory_stats(const kernels::Device& device) {
  return on(device, [](auto tag) { return kernels::memory_stats(tag); });
}

void reset_peak(const kernels::Device& device) {
  on(device, [](auto tag) { kernels::reset_peak(tag); });
}

void release_cached(const kernels::Device& device) {
  on(device, [](auto tag) { kernels::release_cached(tag); });
}

}  // namespace roentgen::engine

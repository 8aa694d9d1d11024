// Memory counters of a device.
#pragma once

#include "kernels/device.h"
#include "kernels/memory.h"

namespace roentgen::engine {

kernels::MemoryStats memory_stats(const kernels::Device& device);
// The peak starts again from what is in use.
void reset_peak(const kernels::Device& device);
// Gives cached, unused memory back to the system.
void release_cached(const kernels::Device& device);

}  // namespace roentgen::engine

// Runs grids of CUDA threads on fibres, one block at a time; barriers, warp operations and shared memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/error.h"

namespace roentgen::emulator {

using kernels::Site;

struct Index3 {
  unsigned x, y, z;
};

// The running CUDA thread's place. constinit spares a call at each access.
inline constinit thread_local Index3 threadIdx{}, blockIdx{}, blockDim{}, gridDim{};

// Calls body(arguments) once for every thread of the grid. Throws Fault for a launch no GPU would take, and
// for what kernels must not do.
void run_grid(void (*body)(void*), void* arguments, const Index3& grid, const Index3& block);

// Shared memory of the running block, told apart by its tag: poisoned when the block first asks for it, with
// a forbidden zone on each side under AddressSanitizer.
void* shared_memory(const void* tag, std::size_t bytes, std::size_t alignment);

// Returns when all threads of the block have come to the same barrier.
void block_barrier(Site site);

enum class WarpOp : std::uint8_t { sync, shuffle, shuffle_down, shuffle_xor };
// All lanes of `mask` meet at the same operation. Returns the value of the lane shuffled from.
std::uint64_t warp_operation(WarpOp op, unsigned mask, std::uint64_t value, int argument, int width,
                             Site site);

}  // namespace roentgen::emulator

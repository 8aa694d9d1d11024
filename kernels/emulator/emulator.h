// What a test may turn and read on the host emulator, which runs the kernels of kernels/cuda on the
// processor. The CUDA language itself is in simt.h, which no ordinary file should include.
#pragma once

#include <cstdint>
#include <stdexcept>

namespace roentgen::emulator {

// What no kernel may do: a barrier that some threads miss, a shuffle from a lane outside its mask, a launch
// with too many threads. The message names file, line, thread and block.
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The order in which a block's threads, and a grid's blocks, get to run.
enum class Order { ascending, descending, random };

struct Options {
  Order order = Order::ascending;
  std::uint32_t seed = 1;      // of Order::random
  std::uint8_t poison = 0xFF;  // fills shared memory when a block starts; 0xFF is NaN in every float type
};

// Of this thread; a launch reads them when it starts.
Options& options();

struct Stats {
  std::uint64_t launches = 0, blocks = 0, threads = 0, switches = 0;
};
Stats& stats();

// Calls f(0), f(1), ... with other orders and poisons, then restores the options. A kernel without races or
// reads of memory that nobody wrote leaves the same bits each time.
template <class F>
void for_each_order(F&& f) {
  struct Restore {
    Options kept = options();
    ~Restore() { options() = kept; }
  } restore;
  const Options variants[] = {{Order::ascending, 1, 0xFF},
                              {Order::descending, 1, 0x7F},
                              {Order::random, 77, 0xFF},
                              {Order::random, 78, 0x00}};
  int i = 0;
  for (const Options& variant : variants) {
    options() = variant;
    f(i++);
  }
}

}  // namespace roentgen::emulator

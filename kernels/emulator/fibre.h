// Fibres: stacks of their own that one OS thread moves between. A CUDA thread that waits at a barrier keeps
// its fibre; threads that never wait share one.
#pragma once

#include <cstddef>

namespace roentgen::emulator {

class Fibre {
 public:
  // Stands for the stack that the calling thread already runs on.
  Fibre() = default;
  // `entry` runs on a new stack when the fibre is first switched to. It never returns.
  explicit Fibre(void (*entry)());
  ~Fibre();
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;

  // Goes on in `to`; returns when somebody switches back to this.
  void switch_to(Fibre& to);
  // Forgets what ran on the stack (which is abandoned, so it must own nothing) and starts at entry again.
  void restart();

 private:
  static void start();
  void arrive(Fibre* from);

  void (*entry_)() = nullptr;
  void* context_ = nullptr;  // the saved stack pointer, or a ucontext_t
  void* fake_stack_ = nullptr;
  const void* bottom_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace roentgen::emulator

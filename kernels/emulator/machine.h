// The emulated GPU: the state of the running block, and what its threads wait for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/emulator/emulator.h"
#include "kernels/emulator/fibre.h"
#include "kernels/emulator/scheduler.h"

namespace roentgen::emulator {

enum class State : std::uint8_t { unstarted, ready, running, at_barrier, at_warp, exited };

struct Thread {
  State state;
  Index3 index;
  Fibre* fibre;
  // What it waits for: a barrier or a warp operation, and its operands.
  WarpOp op;
  std::uint8_t width;
  int argument;
  unsigned mask;
  std::uint64_t value, result;
  Site site;
};

// One for each OS thread that launches kernels.
class Machine {
 public:
  Machine();
  ~Machine();

  void run_grid(void (*body)(void*), void* arguments, const Index3& grid, const Index3& block);
  void* shared_memory(const void* tag, std::size_t bytes, std::size_t alignment);
  void block_barrier(Site site);
  std::uint64_t warp_operation(WarpOp op, unsigned mask, std::uint64_t value, int argument, int width,
                               Site site);
  void fibre_main();

 private:
  std::size_t number(const Thread& t) const { return static_cast<std::size_t>(&t - threads_.data()); }
  std::string name(const Thread& t) const;
  void run_block(const Index3& block);
  void forget_shared();
  void shuffle_order();
  Fibre& fibre_for(Thread& t);
  void switch_to(Fibre& to);
  void become(Thread& t);
  Thread* pick();
  void park();
  bool release_barrier();
  void complete_warp_operation(const Thread& last, Thread* lanes);
  std::size_t source_lane(const Thread& t, std::size_t lane) const;
  [[noreturn]] void stop();
  void abandon();
  std::size_t identity_of(const Thread& t) const { return 1 + number(t) + parity_ * threads_.size(); }

  void (*body_)(void*) = nullptr;
  void* arguments_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<unsigned> order_;
  std::size_t position_ = 0, ready_ = 0, live_ = 0;
  Thread* current_ = nullptr;
  std::string error_;
  std::uint64_t random_ = 1;

  Fibre host_;
  Fibre* fibre_ = &host_;  // the one running
  std::vector<std::unique_ptr<Fibre>> fibres_;
  std::vector<Fibre*> idle_;

  struct Slot {
    const void* tag;
    void* memory;
  };
  std::vector<Slot> slots_;
  std::byte* arena_ = nullptr;
  std::size_t used_ = 0, shared_bytes_ = 0;

  std::vector<unsigned> waiting_lanes_;  // of each warp, a mask

  // ThreadSanitizer: an identity and a stack for each thread of two successive blocks, and what they
  // synchronise on. Barriers alternate between two objects, or a fast thread's next arrival would order those
  // that have not left the last one.
  std::vector<void*> identities_;
  std::vector<Fibre*> own_fibre_;
  std::size_t parity_ = 0;
  unsigned phase_ = 0;
  std::vector<unsigned char> warp_phase_, warp_sync_;
  char grid_started_ = 0, grid_done_ = 0, barrier_sync_[2] = {};
};

}  // namespace roentgen::emulator

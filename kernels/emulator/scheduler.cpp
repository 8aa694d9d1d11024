// A fibre pulls thread after thread in a plain loop; another fibre starts only when a thread parks at a
// barrier or a warp operation. So kernels without either cost no switches.
//
// This file is compiled without sanitizers (2 to 4 times faster, same finds), but tells them what it does. It
// calls no inline library function in the hot paths: the linker might pick an instrumented copy of one.
#include "kernels/emulator/scheduler.h"

#include <sys/mman.h>

#include "kernels/emulator/machine.h"
#include "kernels/emulator/sanitize.h"

namespace roentgen::emulator {
namespace {

constexpr std::size_t arena_bytes = 128 * 1024, redzone = 128;
constexpr std::size_t most_shared = 48 * 1024, most_slots = 64;
constexpr unsigned most_threads = 1024;

// Not memset, which ThreadSanitizer would book as an access of the current thread.
void fill_bytes(void* memory, std::uint8_t value, std::size_t bytes) {
  auto* words = static_cast<volatile std::uint64_t*>(memory);
  auto* tail = static_cast<volatile std::uint8_t*>(memory);
  for (std::size_t i = 0; i < bytes / 8; ++i) words[i] = 0x0101010101010101u * std::uint64_t{value};
  for (std::size_t i = bytes & ~std::size_t{7}; i < bytes; ++i) tail[i] = value;
}

std::size_t round_up(std::size_t bytes, std::size_t to) {
  return (bytes + to - 1) / to * to;
}

Machine& machine() {
  thread_local Machine instance;
  return instance;
}
// Set while a grid runs; spares the guard of the function-local above.
constinit thread_local Machine* running = nullptr;

void enter_fibre() {
  running->fibre_main();
}

}  // namespace

Machine::Machine() {
  void* block = mmap(nullptr, arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) throw std::bad_alloc();
  arena_ = static_cast<std::byte*>(block);
  // Fibres must not allocate: under ThreadSanitizer they run as somebody else.
  fibres_.reserve(2 * most_threads + 1);
  idle_.reserve(2 * most_threads + 1);
  slots_.reserve(most_slots);
  warp_phase_.resize(most_threads);
  warp_sync_.resize(2 * most_threads);
  identities_.push_back(current_identity());
}

Machine::~Machine() {
  permit(arena_, arena_bytes);
  munmap(arena_, arena_bytes);
  for (std::size_t i = 1; i < identities_.size(); ++i) delete_identity(identities_[i]);
}

void Machine::switch_to(Fibre& to) {
  Fibre& from = *fibre_;
  if (&to == &host_) release(&grid_done_);
  fibre_ = &to;
  ++stats().switches;
  from.switch_to(to);
}

Fibre& Machine::fibre_for(Thread& t) {
  // With race detection each thread slot keeps its stack: two threads on one would seem to race on its
  // locals.
  if (race_detection && own_fibre_[number(t) + parity_ * threads_.size()])
    return *own_fibre_[number(t) + parity_ * threads_.size()];
  if (idle_.empty()) {
    fibres_.emplace_back(new Fibre(enter_fibre));
    idle_.push_back(fibres_.back().get());
  }
  Fibre* fibre = idle_.back();
  idle_.pop_back();
  if (race_detection) own_fibre_[number(t) + parity_ * threads_.size()] = fibre;
  return *fibre;
}

void Machine::become(Thread& t) {
  current_ = &t;
  t.state = State::running;
  threadIdx = t.index;
  if (race_detection) take_on(identities_[identity_of(t)]);
}

// Own generator and loop: those of the library are inline functions.
void Machine::shuffle_order() {
  for (std::size_t i = order_.size() - 1; i > 0; --i) {
    random_ = random_ * 6364136223846793005u + 1442695040888963407u;
    const std::size_t j = static_cast<std::size_t>(random_ >> 33) % (i + 1);
    const unsigned kept = order_[i];
    order_[i] = order_[j];
    order_[j] = kept;
  }
}

// The next thread that can run, releasing the barrier when none can; null when all are done or on an error.
Thread* Machine::pick() {
  for (;;) {
    while (position_ < order_.size()) {
      Thread& t = threads_[order_[position_++]];
      if (t.state <= State::ready) {
        --ready_;
        return &t;
      }
    }
    position_ = 0;
    if (ready_ == 0 && (live_ == 0 || !release_barrier())) return nullptr;
  }
}

void Machine::park() {
  Thread& me = *current_;
  me.fibre = fibre_;
  Thread* next = pick();
  if (!next) {
    switch_to(host_);  // an error: never comes back
  } else if (next != &me) {
    if (next->state == State::unstarted) {
      current_ = next;
      switch_to(fibre_for(*next));
    } else {
      switch_to(*next->fibre);
    }
  }
  become(me);
}

void Machine::fibre_main() {
  for (;;) {
    Thread* t = current_;
    do {
      become(*t);
      acquire(&grid_started_);
      body_(arguments_);
      release(&grid_done_);
      t = current_;
      t->state = State::exited;
      --live_;
      t = pick();
      current_ = t;
    } while (!race_detection && t && t->state == State::unstarted);
    if (!race_detection) idle_.push_back(fibre_);
    switch_to(!t ? host_ : t->state == State::unstarted ? fibre_for(*t) : *t->fibre);
  }
}

void Machine::forget_shared() {
  slots_.clear();
  shared_bytes_ = 0;
  if (race_detection && used_) {
    // Forgets who touched the last block's shared memory, without ordering the blocks' global accesses.
    mmap(arena_, round_up(used_, 4096), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
         0);
  }
  forbid(arena_, arena_bytes);
  used_ = redzone;
}

void Machine::run_block(const Index3& block) {
  forget_shared();
  if (race_detection) {
    parity_ ^= 1;
    release(&grid_started_);  // what was done to shared memory; blocks still know nothing of each other
  }
  Index3 index{0, 0, 0};
  for (Thread& t : threads_) {
    t.state = State::unstarted;
    t.index = index;
    if (++index.x == block.x) {
      index.x = 0;
      if (++index.y == block.y) {
        index.y = 0;
        ++index.z;
      }
    }
  }
  for (unsigned& mask : waiting_lanes_) mask = 0;
  if (options().order == Order::random) shuffle_order();
  position_ = 0;
  ready_ = live_ = threads_.size();
  current_ = pick();
  switch_to(fibre_for(*current_));
  if (race_detection) take_on(identities_[0]);
  if (!error_.empty()) abandon();
}

// Throws the error after making the fibres usable again. Kernels own nothing, so their stacks can be dropped.
void Machine::abandon() {
  if (race_detection) {
    for (Thread& t : threads_) {
      take_on(identities_[identity_of(t)]);
      release(&grid_done_);
    }
    take_on(identities_[0]);
    acquire(&grid_done_);
    own_fibre_.assign(own_fibre_.size(), nullptr);
  }
  idle_.clear();
  for (const auto& fibre : fibres_) {
    fibre->restart();
    idle_.push_back(fibre.get());
  }
  running = nullptr;
  std::string message;
  message.swap(error_);
  throw Fault("emulator: " + message);
}

void Machine::run_grid(void (*body)(void*), void* arguments, const Index3& grid, const Index3& block) {
  if (running) throw Fault("emulator: launch inside a kernel");
  const std::size_t count = std::size_t{block.x} * block.y * block.z;
  const std::size_t blocks = std::size_t{grid.x} * grid.y * grid.z;
  if (count == 0 || count > most_threads || block.z > 64 || blocks == 0 || grid.x > 0x7FFFFFFFu ||
      grid.y > 65535 || grid.z > 65535) {
    throw Fault("emulator: invalid launch configuration");
  }
  if (count % 32 != 0)
    throw Fault("emulator: a block of " + std::to_string(count) + " threads ends in a part of a warp");
  body_ = body;
  arguments_ = arguments;
  threads_.resize(count);
  waiting_lanes_.resize(count / 32);
  order_.resize(count);
  const bool descending = options().order == Order::descending;
  for (std::size_t i = 0; i < count; ++i) order_[i] = static_cast<unsigned>(descending ? count - 1 - i : i);
  random_ = options().seed * 0x9E3779B97F4A7C15u + 1;
  if (race_detection) {
    identities_[0] = current_identity();
    while (identities_.size() < 2 * count + 1) identities_.push_back(new_identity());
    own_fibre_.assign(2 * count, nullptr);
    idle_.clear();
    for (const auto& fibre : fibres_) idle_.push_back(fibre.get());
  }
  release(&grid_started_);
  blockDim = block;
  gridDim = grid;
  ++stats().launches;
  stats().blocks += blocks;
  stats().threads += blocks * count;
  running = this;
  for (std::size_t i = 0; i < blocks; ++i) {
    const std::size_t b = descending ? blocks - 1 - i : i;
    blockIdx = {static_cast<unsigned>(b % grid.x), static_cast<unsigned>(b / grid.x % grid.y),
                static_cast<unsigned>(b / grid.x / grid.y)};
    run_block(block);
  }
  running = nullptr;
  acquire(&grid_done_);
}

void* Machine::shared_memory(const void* tag, std::size_t bytes, std::size_t alignment) {
  for (const Slot& slot : slots_)
    if (slot.tag == tag) return slot.memory;
  shared_bytes_ += bytes;
  if (shared_bytes_ > most_shared) {
    error_ = "more than 48 KiB of shared memory";
    stop();
  }
  if (slots_.size() == most_slots) {
    error_ = "more than 64 objects in shared memory";
    stop();
  }
  used_ = round_up(used_, alignment < 16 ? 16 : alignment);
  void* memory = arena_ + used_;
  permit(memory, bytes);
  fill_bytes(memory, options().poison, bytes);
  used_ += bytes + redzone;
  slots_.push_back({tag, memory});
  return memory;
}

Options& options() {
  thread_local Options instance;
  return instance;
}

Stats& stats() {
  thread_local Stats instance;
  return instance;
}

void run_grid(void (*body)(void*), void* arguments, const Index3& grid, const Index3& block) {
  machine().run_grid(body, arguments, grid, block);
}

void* shared_memory(const void* tag, std::size_t bytes, std::size_t alignment) {
  return running->shared_memory(tag, bytes, alignment);
}

void block_barrier(Site site) {
  running->block_barrier(site);
}

std::uint64_t warp_operation(WarpOp op, unsigned mask, std::uint64_t value, int argument, int width,
                             Site site) {
  return running->warp_operation(op, mask, value, argument, width, site);
}

}  // namespace roentgen::emulator

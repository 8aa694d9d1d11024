// A fibre pulls thread after thread in a plain loop; another fibre starts only when a thread parks at a
// barrier or a warp operation. So kernels without either cost no switches.
//
// This file is compiled without sanitizers (2 to 4 times faster, same finds), but tells them what it does. It
// calls no inline library function in the hot paths: the linker might pick an instrumented copy of one.
#include "kernels/emulator/scheduler.h"

#include <sys/mman.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/emulator/emulator.h"
#include "kernels/emulator/fibre.h"
#include "kernels/emulator/sanitize.h"

namespace roentgen::emulator {
namespace {

constexpr std::size_t arena_bytes = 128 * 1024, redzone = 128;
constexpr std::size_t most_shared = 48 * 1024, most_slots = 64;
constexpr unsigned most_threads = 1024;

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

std::string place(Site site) {
  return std::string(site.file) + ":" + std::to_string(site.line);
}

bool same_place(Site a, Site b) {
  return a.line == b.line && std::string_view(a.file) == b.file;
}

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

Machine& machine() {
  thread_local Machine instance;
  return instance;
}
// Set while a grid runs; spares the guard of the function-local above.
constinit thread_local Machine* running = nullptr;

void enter_fibre() {
  running->fibre_main();
}

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

std::string Machine::name(const Thread& t) const {
  const auto triple = [](const Index3& i) {
    return "(" + std::to_string(i.x) + "," + std::to_string(i.y) + "," + std::to_string(i.z) + ")";
  };
  return "thread " + triple(t.index) + " of block " + triple(blockIdx);
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

// Nothing can run: every live thread must wait at one and the same barrier, and none may have returned.
bool Machine::release_barrier() {
  const Thread *first = nullptr, *gone = nullptr;
  for (const Thread& t : threads_) {
    if (t.state == State::exited) {
      gone = &t;
      continue;
    }
    if (t.state == State::at_warp) {
      error_ = "divergent warp operation at " + place(t.site) + ": " + name(t) +
               " waits for lanes of its mask that never arrive";
      return false;
    }
    if (!first) first = &t;
    if (!same_place(t.site, first->site)) {
      error_ = "divergent __syncthreads: " + name(*first) + " waits at " + place(first->site) + " but " +
               name(t) + " at " + place(t.site);
      return false;
    }
  }
  if (gone) {
    error_ = "divergent __syncthreads: " + name(*first) + " waits at " + place(first->site) + " but " +
             name(*gone) + " has returned";
    return false;
  }
  for (Thread& t : threads_) t.state = State::ready;
  ready_ = threads_.size();
  if (options().order == Order::random) shuffle_order();
  ++phase_;
  return true;
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

void Machine::block_barrier(Site site) {
  Thread& me = *current_;
  me.state = State::at_barrier;
  me.site = site;
  char* sync = &barrier_sync_[phase_ & 1];
  release(sync);
  park();
  acquire(sync);
}

std::size_t Machine::source_lane(const Thread& t, std::size_t lane) const {
  const std::size_t width = t.width, low = lane / width * width;
  const std::size_t by = static_cast<std::size_t>(t.argument);
  switch (t.op) {
    case WarpOp::shuffle:
      return low + by % width;
    case WarpOp::shuffle_down:
      return lane + by >= low + width ? lane : lane + by;
    case WarpOp::shuffle_xor:
      return (lane ^ by) >= low + width ? lane : lane ^ by;
    default:
      return lane;
  }
}

// The last lane to arrive does the work of all.
void Machine::complete_warp_operation(const Thread& last, Thread* lanes) {
  for (std::size_t lane = 0; lane < 32; ++lane) {
    if (!(last.mask >> lane & 1)) continue;
    const Thread& t = lanes[lane];
    if (t.op != last.op || t.mask != last.mask || !same_place(t.site, last.site)) {
      error_ = "divergent warp operation: " + name(last) + " is at " + place(last.site) + " but " + name(t) +
               " at " + place(t.site);
      stop();
    }
  }
  for (std::size_t lane = 0; lane < 32; ++lane) {
    if (!(last.mask >> lane & 1)) continue;
    Thread& t = lanes[lane];
    const std::size_t from = source_lane(t, lane);
    if (!(last.mask >> from & 1)) {
      error_ = "shuffle at " + place(t.site) + ": " + name(t) + " reads lane " + std::to_string(from) +
               " outside its mask";
      stop();
    }
    t.result = lanes[from].value;
    if (&t != &last) {
      t.state = State::ready;
      ++ready_;
    }
  }
}

std::uint64_t Machine::warp_operation(WarpOp op, unsigned mask, std::uint64_t value, int argument, int width,
                                      Site site) {
  Thread& me = *current_;
  const std::size_t i = number(me), lane = i % 32, warp = i / 32;
  Thread* lanes = &threads_[warp * 32];
  me.op = op;
  me.width = static_cast<std::uint8_t>(width);
  me.argument = argument;
  me.mask = mask;
  me.value = value;
  me.site = site;
  if (!(mask >> lane & 1)) {
    error_ = "warp operation at " + place(site) + ": " + name(me) + " is not in its own mask";
    stop();
  }
  for (std::size_t l = 0; l < 32; ++l) {
    if ((mask >> l & 1) && lanes[l].state == State::exited) {
      error_ = "warp operation at " + place(site) + ": the mask names lane " + std::to_string(l) +
               ", which has returned (" + name(me) + ")";
      stop();
    }
  }
  me.state = State::at_warp;
  waiting_lanes_[warp] |= 1u << lane;
  // Masks that wait at once are disjoint, and so are their lowest lanes. Only __syncwarp orders memory.
  const std::size_t group = warp * 32 + static_cast<std::size_t>(__builtin_ctz(mask));
  unsigned char* sync = &warp_sync_[2 * group + (warp_phase_[group] & 1)];
  if (op == WarpOp::sync) release(sync);
  if ((waiting_lanes_[warp] & mask) == mask) {
    complete_warp_operation(me, lanes);
    waiting_lanes_[warp] &= ~mask;
    ++warp_phase_[group];
    me.state = State::running;
  } else {
    park();
  }
  if (op == WarpOp::sync) acquire(sync);
  return me.result;
}

// Ends the grid from inside a kernel, with error_ set. The stack is abandoned, so the caller must own
// nothing.
void Machine::stop() {
  switch_to(host_);
  __builtin_unreachable();
}

}  // namespace

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

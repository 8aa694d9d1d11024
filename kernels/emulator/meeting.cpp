// Where threads wait for each other: barriers and warp operations, and what may go wrong there. Compiled
// without sanitizers, like scheduler.cpp.
#include <string_view>

#include "kernels/emulator/machine.h"
#include "kernels/emulator/sanitize.h"

namespace roentgen::emulator {
namespace {

std::string place(Site site) {
  return std::string(site.file) + ":" + std::to_string(site.line);
}

bool same_place(Site a, Site b) {
  return a.line == b.line && std::string_view(a.file) == b.file;
}

}  // namespace

std::string Machine::name(const Thread& t) const {
  const auto triple = [](const Index3& i) {
    return "(" + std::to_string(i.x) + "," + std::to_string(i.y) + "," + std::to_string(i.z) + ")";
  };
  return "thread " + triple(t.index) + " of block " + triple(blockIdx);
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

}  // namespace roentgen::emulator

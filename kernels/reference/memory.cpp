// Reference memory is ordinary memory with counters.
#include "kernels/memory.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>

namespace roentgen::kernels {
namespace {

constexpr std::align_val_t alignment{64};

struct Counters {
  std::mutex mutex;
  std::size_t in_use = 0, peak = 0;
};

Counters& counters() {
  static Counters instance;
  return instance;
}

}  // namespace

void* allocate(Reference, std::size_t bytes) {
  void* pointer = ::operator new(bytes, alignment);
  Counters& c = counters();
  const std::lock_guard lock(c.mutex);
  c.in_use += bytes;
  c.peak = std::max(c.peak, c.in_use);
  return pointer;
}

void deallocate(Reference, void* pointer, std::size_t bytes) noexcept {
  if (!pointer) return;
  ::operator delete(pointer, alignment);
  Counters& c = counters();
  const std::lock_guard lock(c.mutex);
  c.in_use -= bytes;
}

MemoryStats memory_stats(Reference) {
  Counters& c = counters();
  const std::lock_guard lock(c.mutex);
  return {.in_use = c.in_use, .peak = c.peak, .reserved = c.in_use};
}

void reset_peak(Reference) {
  Counters& c = counters();
  const std::lock_guard lock(c.mutex);
  c.peak = c.in_use;
}

void release_cached(Reference) {}

// memcpy and memset must not see a null pointer, not even for no bytes.
void copy(Reference, const void* from, void* to, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

void copy_from_host(Reference device, const void* host, void* to, std::size_t bytes) {
  copy(device, host, to, bytes);
}

void copy_to_host(Reference device, const void* from, void* host, std::size_t bytes) {
  copy(device, from, host, bytes);
}

void zero(Reference, void* pointer, std::size_t bytes) {
  if (bytes > 0) std::memset(pointer, 0, bytes);
}

void synchronize(Reference) {}

}  // namespace roentgen::kernels

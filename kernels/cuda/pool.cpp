#include "kernels/cuda/pool.h"

#include <algorithm>
#include <bit>
#include <new>

namespace roentgen::kernels {

// Multiples of 512 bytes, and above 4 KiB eight sizes to each power of two: at most an eighth is wasted.
std::size_t Pool::block_bytes(std::size_t bytes) const {
  if (!caching_) return std::max<std::size_t>(bytes, 1);
  const std::size_t step = bytes <= 4096 ? 512 : std::bit_floor(bytes - 1) / 8;
  return std::max(step, (bytes + step - 1) / step * step);
}

void* Pool::allocate(std::size_t bytes) {
  if (bytes > std::size_t{1} << 60) throw std::bad_alloc();  // beyond this the rounding up would wrap
  const std::size_t size = block_bytes(bytes);
  std::lock_guard lock(mutex_);
  void* block = nullptr;
  if (const auto found = free_.find(size); found != free_.end() && !found->second.empty()) {
    block = found->second.back();
    found->second.pop_back();
  } else {
    block = source_.allocate(size);
    if (!block) {
      release();
      block = source_.allocate(size);
    }
    if (!block) throw std::bad_alloc();
    // Room to take the block back, so that deallocate need not allocate.
    std::vector<void*>& list = free_[size];
    list.reserve(list.capacity() + 1);
    stats_.reserved += size;
  }
  stats_.in_use += bytes;
  stats_.peak = std::max(stats_.peak, stats_.in_use);
  return block;
}

void Pool::deallocate(void* block, std::size_t bytes) noexcept {
  if (!block) return;
  const std::size_t size = block_bytes(bytes);
  std::lock_guard lock(mutex_);
  stats_.in_use -= bytes;
  if (caching_) {
    free_.find(size)->second.push_back(block);
  } else {
    source_.deallocate(block);
    stats_.reserved -= size;
  }
}

void Pool::release() {
  for (auto& [size, blocks] : free_) {
    for (void* block : blocks) {
      source_.deallocate(block);
      stats_.reserved -= size;
    }
    blocks.clear();
  }
}

void Pool::release_cached() {
  std::lock_guard lock(mutex_);
  release();
}

void Pool::reset_peak() {
  std::lock_guard lock(mutex_);
  stats_.peak = stats_.in_use;
}

MemoryStats Pool::stats() const {
  std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace roentgen::kernels

// The processor's memory: freed blocks wait in lists by size, so that a training step asks the system for
// nothing.
#include "kernels/memory.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <mutex>
#include <new>

#include "kernels/cpu/parallel.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace roentgen::kernels {
namespace {

constexpr std::size_t line = 64, huge_page = std::size_t{2} << 20;
constexpr std::size_t copy_grain = std::size_t{1} << 20;

// Eight sizes to each power of two: at most an eighth of a block is wasted.
struct SizeClass {
  std::size_t index, bytes;
};
SizeClass size_class(std::size_t bytes) {
  const std::size_t lines = std::max<std::size_t>(1, (bytes + line - 1) / line);
  if (lines <= 8) return {lines, lines * line};
  const int shift = std::bit_width(lines - 1) - 4;  // leaves 8..15 after the shift
  const std::size_t steps = ((lines - 1) >> shift) + 1;
  return {static_cast<std::size_t>(shift) * 8 + steps, (steps << shift) * line};
}

std::align_val_t alignment(std::size_t bytes) {
  return std::align_val_t{bytes >= huge_page ? huge_page : line};
}

void* from_system(std::size_t bytes) {
  void* block = ::operator new(bytes, alignment(bytes));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (bytes >= huge_page) madvise(block, bytes & ~(huge_page - 1), MADV_HUGEPAGE);  // a wish: may fail
#endif
  return block;
}

class CachingPool {
 public:
  void* allocate(std::size_t bytes) {
    // Beyond this the rounding up would wrap.
    if (bytes > std::size_t{1} << 60) throw std::bad_alloc();
    const auto [index, size] = size_class(bytes);
    std::lock_guard lock(mutex_);
    void* block = free_[index];
    if (block) {
      free_[index] = free_[index]->next;
    } else {
      try {
        block = from_system(size);
      } catch (const std::bad_alloc&) {
        release();
        block = from_system(size);
      }
      stats_.reserved += size;
    }
    stats_.in_use += bytes;
    stats_.peak = std::max(stats_.peak, stats_.in_use);
    return block;
  }

  void deallocate(void* block, std::size_t bytes) noexcept {
    if (!block) return;
    const std::size_t index = size_class(bytes).index;
    std::lock_guard lock(mutex_);
    free_[index] = new (block) FreeBlock{free_[index], size_class(bytes).bytes};
    stats_.in_use -= bytes;
  }

  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    return stats_;
  }

  void reset_peak() {
    std::lock_guard lock(mutex_);
    stats_.peak = stats_.in_use;
  }

  void release_cached() {
    std::lock_guard lock(mutex_);
    release();
  }

 private:
  struct FreeBlock {
    FreeBlock* next;
    std::size_t bytes;
  };

  void release() {
    for (FreeBlock*& head : free_)
      while (head) {
        FreeBlock* block = head;
        head = block->next;
        stats_.reserved -= block->bytes;
        ::operator delete(static_cast<void*>(block), alignment(block->bytes));
      }
  }

  std::mutex mutex_;
  MemoryStats stats_;
  std::array<FreeBlock*, 512> free_{};
};

// Never destroyed: tensors of static lifetime may come back after every destructor has run.
CachingPool& pool() {
  static CachingPool& instance = *new CachingPool;
  return instance;
}

}  // namespace

void* allocate(Cpu, std::size_t bytes) {
  return pool().allocate(bytes);
}
void deallocate(Cpu, void* pointer, std::size_t bytes) noexcept {
  pool().deallocate(pointer, bytes);
}
MemoryStats memory_stats(Cpu) {
  return pool().stats();
}
void reset_peak(Cpu) {
  pool().reset_peak();
}
void release_cached(Cpu) {
  pool().release_cached();
}

void copy(Cpu, const void* from, void* to, std::size_t bytes) {
  parallel_ranges(static_cast<std::int64_t>(bytes), copy_grain, [&](std::int64_t begin, std::int64_t end) {
    std::memcpy(static_cast<char*>(to) + begin, static_cast<const char*>(from) + begin,
                static_cast<std::size_t>(end - begin));
  });
}
void copy_from_host(Cpu, const void* host, void* device, std::size_t bytes) {
  copy(Cpu{}, host, device, bytes);
}
void copy_to_host(Cpu, const void* device, void* host, std::size_t bytes) {
  copy(Cpu{}, device, host, bytes);
}

void zero(Cpu, void* device, std::size_t bytes) {
  parallel_ranges(static_cast<std::int64_t>(bytes), copy_grain, [&](std::int64_t begin, std::int64_t end) {
    std::memset(static_cast<char*>(device) + begin, 0, static_cast<std::size_t>(end - begin));
  });
}

void synchronize(Cpu) {}

}  // namespace roentgen::kernels

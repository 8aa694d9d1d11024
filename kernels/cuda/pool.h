// A caching allocator for memory that is used in the order of one queue: a block given back may be handed out
// at once, since what uses it next runs after what used it last.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

#include "kernels/memory.h"

namespace roentgen::kernels {

class Pool {
 public:
  // Where blocks come from; `allocate` returns null when there is no room.
  struct Source {
    void* (*allocate)(std::size_t bytes);
    void (*deallocate)(void* block) noexcept;
  };

  // Without caching each block is its own, of the size asked for: what AddressSanitizer needs.
  Pool(Source source, bool caching) : source_(source), caching_(caching) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Throws std::bad_alloc when the source has no room, even after the cache has been given back.
  void* allocate(std::size_t bytes);
  void deallocate(void* block, std::size_t bytes) noexcept;
  // Gives cached blocks back to the source. Their last use must be over.
  void release_cached();
  void reset_peak();
  MemoryStats stats() const;

 private:
  std::size_t block_bytes(std::size_t bytes) const;
  void release();

  const Source source_;
  const bool caching_;
  mutable std::mutex mutex_;
  MemoryStats stats_;
  std::map<std::size_t, std::vector<void*>> free_;  // by size
};

}  // namespace roentgen::kernels

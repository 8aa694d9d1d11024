// Working memory of kernels: per thread and kept, or for the length of one call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "kernels/memory.h"

namespace roentgen::kernels {

// What a thread's scratch buffers are for; a kernel may hold one pointer to each at a time.
enum class Slot { input, output, gradient, gradient2, line, keep, library, library2, library3, count };

// At least n elements, 64-byte aligned, with 64 readable bytes after them. Contents are whatever the thread
// left there; valid until the thread asks for more of the same slot.
template <class E>
E* scratch(Slot slot, std::int64_t n) {
  struct Free {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  struct Buffer {
    std::unique_ptr<std::byte[], Free> memory;
    std::size_t bytes = 0;
  };
  thread_local std::array<Buffer, static_cast<std::size_t>(Slot::count)> buffers;
  Buffer& buffer = buffers[static_cast<std::size_t>(slot)];
  const std::size_t bytes = static_cast<std::size_t>(n) * sizeof(E) + 64;
  if (buffer.bytes < bytes) {
    buffer = {};
    buffer.memory.reset(new (std::align_val_t{64}) std::byte[bytes]{});
    buffer.bytes = bytes;
  }
  return reinterpret_cast<E*>(buffer.memory.get());
}

// n elements from the caching pool for the length of a call, not initialised, with 64 readable bytes after
// them.
template <class E>
class Workspace {
 public:
  explicit Workspace(std::int64_t n)
      : bytes_(static_cast<std::size_t>(n) * sizeof(E) + 64),
        data_(static_cast<E*>(allocate(Cpu{}, bytes_))) {}
  ~Workspace() { deallocate(Cpu{}, data_, bytes_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  E* data() const { return data_; }

 private:
  std::size_t bytes_;
  E* data_;
};

}  // namespace roentgen::kernels

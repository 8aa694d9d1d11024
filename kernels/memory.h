// Memory is a kernel too: allocation through each device's caching pool, copies, fills.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/device.h"

namespace roentgen::kernels {

struct MemoryStats {
  std::size_t in_use = 0;    // bytes handed out now
  std::size_t peak = 0;      // most bytes handed out at once since the last reset
  std::size_t reserved = 0;  // bytes held from the system, in use or cached
};

// 64-byte aligned (256 on CUDA), not initialised. Throws std::bad_alloc when the device has no room.
void* allocate(Cpu, std::size_t bytes);
void* allocate(Reference, std::size_t bytes);
void* allocate(Cuda, std::size_t bytes);

// Gives memory of the same device and size back to its pool. Never throws.
void deallocate(Cpu, void* pointer, std::size_t bytes) noexcept;
void deallocate(Reference, void* pointer, std::size_t bytes) noexcept;
void deallocate(Cuda, void* pointer, std::size_t bytes) noexcept;

MemoryStats memory_stats(Cpu);
MemoryStats memory_stats(Reference);
MemoryStats memory_stats(Cuda);

// Peak counters start again from what is in use.
void reset_peak(Cpu);
void reset_peak(Reference);
void reset_peak(Cuda);

// Gives cached, unused memory back to the system.
void release_cached(Cpu);
void release_cached(Reference);
void release_cached(Cuda);

// Copies of `bytes` bytes; `host` is ordinary memory. copy_to_host returns when the data are there.
void copy_from_host(Cpu, const void* host, void* device, std::size_t bytes);
void copy_from_host(Reference, const void* host, void* device, std::size_t bytes);
void copy_from_host(Cuda, const void* host, void* device, std::size_t bytes);
void copy_to_host(Cpu, const void* device, void* host, std::size_t bytes);
void copy_to_host(Reference, const void* device, void* host, std::size_t bytes);
void copy_to_host(Cuda, const void* device, void* host, std::size_t bytes);
void copy(Cpu, const void* from, void* to, std::size_t bytes);
void copy(Reference, const void* from, void* to, std::size_t bytes);
void copy(Cuda, const void* from, void* to, std::size_t bytes);

// Sets all bytes to zero.
void zero(Cpu, void* device, std::size_t bytes);
void zero(Reference, void* device, std::size_t bytes);
void zero(Cuda, void* device, std::size_t bytes);

// Waits until all work given to the device is done.
void synchronize(Cpu);
void synchronize(Reference);
void synchronize(Cuda);

}  // namespace roentgen::kernels

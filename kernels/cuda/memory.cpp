#include "kernels/memory.h"

#include "kernels/cuda/context.h"
#include "kernels/cuda/runtime.h"

namespace roentgen::kernels {
namespace {

void copy_bytes(Cuda device, void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  if (bytes == 0) return;
  device.context->activate();
  check(cudaMemcpyAsync(to, from, bytes, kind, device.context->stream()));
}

}  // namespace

void* allocate(Cuda device, std::size_t bytes) {
  device.context->activate();
  return device.context->pool().allocate(bytes);
}
void deallocate(Cuda device, void* pointer, std::size_t bytes) noexcept {
  device.context->pool().deallocate(pointer, bytes);
}

MemoryStats memory_stats(Cuda device) {
  return device.context->pool().stats();
}
void reset_peak(Cuda device) {
  device.context->pool().reset_peak();
}
void release_cached(Cuda device) {
  device.context->synchronize();
  device.context->pool().release_cached();
}

// Of ordinary memory: the runtime has taken the bytes when the call returns.
void copy_from_host(Cuda device, const void* host, void* to, std::size_t bytes) {
  copy_bytes(device, to, host, bytes, cudaMemcpyHostToDevice);
}
void copy_to_host(Cuda device, const void* from, void* host, std::size_t bytes) {
  copy_bytes(device, host, from, bytes, cudaMemcpyDeviceToHost);
  device.context->synchronize();
}
void copy(Cuda device, const void* from, void* to, std::size_t bytes) {
  copy_bytes(device, to, from, bytes, cudaMemcpyDeviceToDevice);
}

void zero(Cuda device, void* pointer, std::size_t bytes) {
  if (bytes == 0) return;
  device.context->activate();
  check(cudaMemsetAsync(pointer, 0, bytes, device.context->stream()));
}

void synchronize(Cuda device) {
  device.context->synchronize();
}

}  // namespace roentgen::kernels

#include "kernels/cuda/context.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kernels/cuda/runtime.h"

namespace roentgen::kernels {
namespace {

#if ROENTGEN_CUDA_EMULATED
constexpr bool caching = false;
#else
constexpr bool caching = true;
#endif

void* device_allocate(std::size_t bytes) {
  void* block = nullptr;
  const cudaError_t status = cudaMalloc(&block, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // reported by the pool
    return nullptr;
  }
  check(status);
  return block;
}

void device_deallocate(void* block) noexcept {
  if (cudaFree(block) != cudaSuccess) cudaGetLastError();  // a broken device reports itself at its next use
}

}  // namespace

int cuda_device_count() noexcept {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  cudaGetLastError();  // no driver, or a stub of one
  return 0;
}

Cuda cuda_device(int ordinal) {
  struct Registry {
    std::mutex mutex;
    std::vector<std::unique_ptr<CudaContext>> contexts;
  };
  // Never destroyed: at exit the driver may be gone before us.
  static Registry& registry = *new Registry;
  const int count = cuda_device_count();
  if (count == 0) throw DeviceError("device cuda: no usable GPU and driver on this machine");
  if (ordinal < 0 || ordinal >= count) {
    throw DeviceError("device cuda:" + std::to_string(ordinal) + " does not exist, this machine has " +
                      std::to_string(count));
  }
  std::lock_guard lock(registry.mutex);
  registry.contexts.resize(static_cast<std::size_t>(count));
  auto& context = registry.contexts[static_cast<std::size_t>(ordinal)];
  if (!context) context = std::make_unique<CudaContext>(ordinal);
  return Cuda{context.get()};
}

CudaContext::CudaContext(int ordinal)
    : ordinal_(ordinal), pool_({device_allocate, device_deallocate}, caching) {
  activate();
  check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
}

void CudaContext::activate() const {
  check(cudaSetDevice(ordinal_));
}

void CudaContext::synchronize() const {
  activate();
  check(cudaStreamSynchronize(stream_));
}

}  // namespace roentgen::kernels

// Times of device work as training meets it: with nothing of it in L2.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "kernels/cuda/context.h"
#include "kernels/cuda/runtime.h"

namespace roentgen::kernels::cudnn {

// Memory past the pool, so that what tuning needs once is not kept.
struct FreeDevice {
  void operator()(void* memory) const noexcept { cudaFree(memory); }
};
using DeviceBuffer = std::unique_ptr<void, FreeDevice>;
// Empty where there is no room.
inline DeviceBuffer device_buffer(std::int64_t bytes) {
  void* memory = nullptr;
  const cudaError_t status = cudaMalloc(&memory, static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1)));
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check(status);
  return DeviceBuffer(memory);
}

class Stopwatch {
 public:
  explicit Stopwatch(const CudaContext& context)
      : stream_(context.stream()),
        begin_(event()),
        end_(event()),
        flush_bytes_(2 * level_2_bytes(context)),
        flush_(device_buffer(flush_bytes_)) {}

  // Milliseconds that `work` takes on the stream, the median of `runs`.
  template <class Work>
  float median(int runs, const Work& work) {
    std::vector<float> times(static_cast<std::size_t>(runs));
    for (float& time : times) {
      if (flush_) check(cudaMemsetAsync(flush_.get(), 0, static_cast<std::size_t>(flush_bytes_), stream_));
      check(cudaEventRecord(begin_.get(), stream_));
      work();
      check(cudaEventRecord(end_.get(), stream_));
      check(cudaEventSynchronize(end_.get()));
      check(cudaEventElapsedTime(&time, begin_.get(), end_.get()));
    }
    std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
    return times[static_cast<std::size_t>(runs / 2)];
  }

 private:
  struct Destroy {
    void operator()(cudaEvent_t event) const noexcept { cudaEventDestroy(event); }
  };
  using Event = std::unique_ptr<CUevent_st, Destroy>;
  static Event event() {
    cudaEvent_t event = nullptr;
    check(cudaEventCreate(&event));
    return Event(event);
  }
  static std::int64_t level_2_bytes(const CudaContext& context) {
    int bytes = 0;
    check(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, context.ordinal()));
    return bytes;
  }

  const cudaStream_t stream_;
  Event begin_, end_;
  std::int64_t flush_bytes_;
  DeviceBuffer flush_;
};

}  // namespace roentgen::kernels::cudnn

#if ROENTGEN_WITH_CUDA

#include "bench/cuda_timer.h"

#include "kernels/cuda/context.h"
#include "kernels/cuda/runtime.h"
#include "kernels/memory.h"

namespace roentgen::bench {

using kernels::check;

CudaTimer::CudaTimer(kernels::Cuda device)
    : device_(device), flush_({std::int64_t{256} << 20}, engine::DType::uint8, device) {
  device_.context->activate();
  check(cudaEventCreate(&begin_));
  check(cudaEventCreate(&end_));
}

CudaTimer::~CudaTimer() {
  static_cast<void>(cudaEventDestroy(begin_));
  static_cast<void>(cudaEventDestroy(end_));
}

double CudaTimer::seconds(const std::function<void()>& work) {
  kernels::zero(device_, flush_.raw(), flush_.bytes());
  check(cudaEventRecord(begin_, device_.context->stream()));
  work();
  check(cudaEventRecord(end_, device_.context->stream()));
  check(cudaEventSynchronize(end_));
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, begin_, end_));
  return static_cast<double>(milliseconds) / 1e3;
}

}  // namespace roentgen::bench

#endif

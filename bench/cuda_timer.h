// Times work on a GPU by the device's own events, with a cold cache.
#pragma once

#include <functional>

#include "engine/tensor.h"

struct CUevent_st;

namespace roentgen::bench {

class CudaTimer {
 public:
  explicit CudaTimer(kernels::Cuda device);
  ~CudaTimer();
  CudaTimer(const CudaTimer&) = delete;
  CudaTimer& operator=(const CudaTimer&) = delete;

  // Between the device's start and end of what `work` launches.
  double seconds(const std::function<void()>& work);

 private:
  kernels::Cuda device_;
  engine::Tensor flush_;  // larger than any L2: overwriting it leaves nothing of the work's data there
  CUevent_st *begin_ = nullptr, *end_ = nullptr;
};

}  // namespace roentgen::bench

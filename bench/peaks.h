// What this machine can do at most, measured.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor.h"

namespace roentgen::bench {

struct Bandwidth {
  double working_set = 0;       // bytes
  double bytes_per_second = 0;  // of a triad over them
};

struct Peaks {
  double float32 = 0;   // FLOP/s of fused multiply-adds
  double bfloat16 = 0;  // FLOP/s of products summed in float; 0 where the processor has no instruction for it
  std::vector<Bandwidth> bandwidth;  // by rising working set

  // FLOP/s of kernels on tensors of `dtype`: where bfloat16 is converted to float first, float32's.
  double flops(engine::DType dtype) const;
  // Bytes per second of the largest measured working set that is no larger than this one.
  double bytes_per_second(double working_set) const;
  // The roofline: no kernel that computes `flops` and moves `bytes` ends sooner.
  double bound_seconds(double flops, double bytes, double working_set, engine::DType dtype) const;
};

// Of the processor, with the threads that kernels run on: the best of several short runs each. Takes about
// two seconds, or no time to speak of when `quick`, which only shows that it runs.
Peaks measure_cpu_peaks(bool quick);

// FLOP/s of AMX tiles or else AVX-512 dot products of bfloat16, all threads together; 0 without either.
double measure_bfloat16_peak(bool quick);

#if ROENTGEN_WITH_CUDA
Peaks measure_cuda_peaks(kernels::Cuda device, bool quick);
#endif

}  // namespace roentgen::bench

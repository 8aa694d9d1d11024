// The CUDA runtime, or its stand-in where the emulator is built.
#pragma once

#if ROENTGEN_CUDA_EMULATED
#include "kernels/emulator/runtime.h"
#else
#include <cuda_runtime.h>
#endif

#include <string>

#include "kernels/error.h"

namespace roentgen::kernels {

// Throws DeviceError with the library's text and the place of the call.
inline void check(cudaError_t status, Site site = Site::current()) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // clears what is not sticky
  throw DeviceError(std::string("CUDA: ") + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) +
                    ") at " + site.file + ":" + std::to_string(site.line));
}

}  // namespace roentgen::kernels

// Device tags. A kernel is a function overloaded on its tag: f(Cpu{}, ...), f(Reference{}, ...), f(Cuda,
// ...). A device that lacks a kernel is a link error naming it.
#pragma once

#include <variant>

namespace roentgen::kernels {

// Plain C++ loops, double accumulation: the definition of what every kernel must compute.
struct Reference {
  bool operator==(const Reference&) const = default;
};

// Threaded, vectorised, oneDNN for convolution and dense where it is present.
struct Cpu {
  bool operator==(const Cpu&) const = default;
};

class CudaContext;  // stream, handles, memory pool, plan cache: kernels/cuda/context.h

// cuDNN, cuBLASLt and hand-written kernels on one GPU. Declared everywhere; a Device only where it is built.
struct Cuda {
  CudaContext* context = nullptr;
  bool operator==(const Cuda&) const = default;
};

#if ROENTGEN_WITH_CUDA
using Device = std::variant<Cpu, Reference, Cuda>;
#else
using Device = std::variant<Cpu, Reference>;
#endif

}  // namespace roentgen::kernels

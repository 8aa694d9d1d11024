// Which kernel an operation on cuda takes where several compute the same thing. All of them can be called by
// name: cudnn:: (cudnn_kernels.h), cublaslt:: (cublaslt_kernels.h), own:: (own.h).
//
// - Convolution: cuDNN. The hand-written kernels where it has no engine for shape and type, where a tensor is
//   empty or not aligned to 16 bytes, and in a build without it.
// - Matrix product and dense layer: cuBLASLt, likewise, and where the library cannot be loaded.
// - Pooling, softmax, dropout, and fused blocks but for their convolutions: hand-written. Their maxima, masks
//   and orders of additions are defined to the bit, which cuDNN's are not.
#pragma once

namespace roentgen::kernels {

// Without these libraries, as in the emulator, their kernels are declared but not there.
#if ROENTGEN_WITH_CUDNN
inline constexpr bool with_cudnn = true;
#else
inline constexpr bool with_cudnn = false;
#endif
#if ROENTGEN_WITH_CUBLASLT
inline constexpr bool with_cublaslt = true;
#else
inline constexpr bool with_cublaslt = false;
#endif

}  // namespace roentgen::kernels

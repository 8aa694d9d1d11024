// cuBLASLt, loaded when the first matrix product needs it and not when the program starts: the library is
// half a gigabyte, which a command on the processor should not map and a machine without CUDA does not have.
#pragma once

#include <cublasLt.h>

#include <memory>
#include <string>
#include <type_traits>

#include "kernels/error.h"

namespace roentgen::kernels {

// Throws DeviceError with cuBLASLt's own text and the place of the call.
void check(cublasStatus_t status, Site site = Site::current());

namespace cublaslt {

// Its functions that we call.
struct Functions {
  decltype(&cublasLtGetVersion) version;
  decltype(&cublasLtGetStatusName) status_name;
  decltype(&cublasLtCreate) create;
  decltype(&cublasLtDestroy) destroy;
  decltype(&cublasLtMatmulDescCreate) operation_create;
  decltype(&cublasLtMatmulDescDestroy) operation_destroy;
  decltype(&cublasLtMatmulDescSetAttribute) operation_set;
  decltype(&cublasLtMatmulDescGetAttribute) operation_get;
  decltype(&cublasLtMatrixLayoutCreate) layout_create;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
  decltype(&cublasLtMatrixLayoutSetAttribute) layout_set;
  decltype(&cublasLtMatrixLayoutGetAttribute) layout_get;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmul) matmul;
};

// Null where the library, or one as new as our headers, cannot be loaded; tried once. `reason` then says why.
const Functions* functions(std::string* reason = nullptr) noexcept;

}  // namespace cublaslt
}  // namespace roentgen::kernels

// A matrix product as cuBLASLt sees it, and the kernels that its heuristics chose for a device. Our matrices
// are row-major and its are column-major. Read so, each of ours is its own transpose: c = a b becomes
// c' = b' a'.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "kernels/cuda/context.h"
#include "kernels/cuda/cublaslt_library.h"
#include "kernels/matmul.h"

namespace roentgen::kernels::cublaslt {

// Owns what `create` made and `destroy` unmakes; move-only.
template <class Raw, auto destroy>
struct Destroy {
  void operator()(Raw raw) const noexcept { (functions()->*destroy)(raw); }
};
using Layout = std::unique_ptr<std::remove_pointer_t<cublasLtMatrixLayout_t>,
                               Destroy<cublasLtMatrixLayout_t, &Functions::layout_destroy>>;
using Operation = std::unique_ptr<std::remove_pointer_t<cublasLtMatmulDesc_t>,
                                  Destroy<cublasLtMatmulDesc_t, &Functions::operation_destroy>>;
using Preference = std::unique_ptr<std::remove_pointer_t<cublasLtMatmulPreference_t>,
                                   Destroy<cublasLtMatmulPreference_t, &Functions::preference_destroy>>;
using Handle =
    std::unique_ptr<std::remove_pointer_t<cublasLtHandle_t>, Destroy<cublasLtHandle_t, &Functions::destroy>>;

enum class Epilogue { none, bias, bias_relu };

struct Product {
  MatmulShape shape;
  cudaDataType_t in = CUDA_R_32F, out = CUDA_R_32F;
  bool tf32 = false;
  Epilogue epilogue = Epilogue::none;  // bias [n], float: only where out is float
  std::size_t alignment = 16;          // of the least aligned pointer, in bytes

  bool operator==(const Product& other) const;
};

// cuBLASLt's description of a product: first is b', second a', result c'. Needs no GPU.
struct Description {
  explicit Description(const Product& product);

  Operation operation;
  Layout first, second, result;
};

// One device's cuBLASLt: a part of CudaContext. Made only where functions() are there.
class Library {
 public:
  explicit Library(CudaContext& context);

  // False where cuBLASLt has no kernel for the product; nothing is written then.
  bool run(const Product& product, const void* a, const void* b, const float* bias, void* c);

 private:
  struct Choice {
    Product product;
    Description description;
    std::optional<cublasLtMatmulHeuristicResult_t> kernel;
  };
  Choice& choose(const Product& product, const float* bias);

  CudaContext& context_;
  Handle handle_;
  std::mutex mutex_;
  std::deque<Choice> choices_;  // a network has few: looked through one by one
};

}  // namespace roentgen::kernels::cublaslt

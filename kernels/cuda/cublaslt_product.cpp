#include "kernels/cuda/cublaslt_product.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "kernels/cuda/runtime.h"

namespace roentgen::kernels::cublaslt {
namespace {

auto members(const Product& p) {
  const MatmulShape& s = p.shape;
  return std::tuple(s.batch, s.m, s.n, s.k, s.transpose_a, s.transpose_b, s.a_stride, s.b_stride, p.in, p.out,
                    p.tf32, p.epilogue, p.alignment);
}

template <class T>
void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t name, const T& value) {
  check(functions()->operation_set(operation, name, &value, sizeof(value)));
}
template <class T>
void set(cublasLtMatrixLayout_t layout, cublasLtMatrixLayoutAttribute_t name, const T& value) {
  check(functions()->layout_set(layout, name, &value, sizeof(value)));
}
template <class T>
void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t name, const T& value) {
  check(functions()->preference_set(preference, name, &value, sizeof(value)));
}

// The column-major matrix whose memory is row-major rows x columns.
Layout turned_layout(cudaDataType_t type, std::int64_t rows, std::int64_t columns, std::int64_t batch,
                     std::int64_t stride) {
  cublasLtMatrixLayout_t raw = nullptr;
  check(functions()->layout_create(&raw, type, static_cast<std::uint64_t>(columns),
                                   static_cast<std::uint64_t>(rows), columns));
  Layout layout(raw);
  if (batch > 1) {
    set(raw, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<std::int32_t>(batch));
    set(raw, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, stride);
  }
  return layout;
}

Operation operation_of(const Product& p) {
  cublasLtMatmulDesc_t raw = nullptr;
  check(functions()->operation_create(&raw, p.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
                                      CUDA_R_32F));
  Operation operation(raw);
  set(raw, CUBLASLT_MATMUL_DESC_TRANSA, p.shape.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(raw, CUBLASLT_MATMUL_DESC_TRANSB, p.shape.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  if (p.epilogue != Epilogue::none)
    set(raw, CUBLASLT_MATMUL_DESC_EPILOGUE,
        p.epilogue == Epilogue::bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_RELU_BIAS);
  return operation;
}

}  // namespace

bool Product::operator==(const Product& other) const {
  return members(*this) == members(other);
}

Description::Description(const Product& p)
    : operation(operation_of(p)),
      first(p.shape.transpose_b ? turned_layout(p.in, p.shape.n, p.shape.k, p.shape.batch, p.shape.b_stride)
                                : turned_layout(p.in, p.shape.k, p.shape.n, p.shape.batch, p.shape.b_stride)),
      second(p.shape.transpose_a
                 ? turned_layout(p.in, p.shape.k, p.shape.m, p.shape.batch, p.shape.a_stride)
                 : turned_layout(p.in, p.shape.m, p.shape.k, p.shape.batch, p.shape.a_stride)),
      result(turned_layout(p.out, p.shape.m, p.shape.n, p.shape.batch, p.shape.m * p.shape.n)) {}

Library::Library(CudaContext& context) : context_(context) {
  context.activate();
  cublasLtHandle_t handle = nullptr;
  check(functions()->create(&handle));
  handle_.reset(handle);
}

Library::Choice& Library::choose(const Product& product, const float* bias) {
  for (Choice& choice : choices_)
    if (choice.product == product) return choice;
  Choice choice{product, Description(product), std::nullopt};
  if (bias)
    set(choice.description.operation.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);  // for alignment
  cublasLtMatmulPreference_t raw = nullptr;
  check(functions()->preference_create(&raw));
  const Preference preference(raw);
  set(raw, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, context_.options().workspace);
  for (const auto name :
       {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
    set(raw, name, static_cast<std::uint32_t>(product.alignment));
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  const Description& d = choice.description;
  const cublasStatus_t status =
      functions()->heuristic(handle_.get(), d.operation.get(), d.first.get(), d.second.get(), d.result.get(),
                             d.result.get(), raw, 1, &found, &count);
  if (status != CUBLAS_STATUS_NOT_SUPPORTED) check(status);
  if (status == CUBLAS_STATUS_SUCCESS && count == 1 && found.state == CUBLAS_STATUS_SUCCESS)
    choice.kernel = found;
  return choices_.emplace_back(std::move(choice));
}

bool Library::run(const Product& product, const void* a, const void* b, const float* bias, void* c) {
  context_.activate();
  std::lock_guard lock(mutex_);
  Choice& choice = choose(product, bias);
  if (!choice.kernel) return false;
  const Description& d = choice.description;
  if (bias) set(d.operation.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
  const Scratch<std::byte> workspace(Cuda{&context_},
                                     static_cast<std::int64_t>(choice.kernel->workspaceSize));
  const float one = 1, none = 0;
  check(functions()->matmul(handle_.get(), d.operation.get(), &one, b, d.first.get(), a, d.second.get(),
                            &none, c, d.result.get(), c, d.result.get(), &choice.kernel->algo,
                            workspace.data(), choice.kernel->workspaceSize, context_.stream()));
  return true;
}

}  // namespace roentgen::kernels::cublaslt

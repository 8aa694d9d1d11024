// Owned descriptors of cuDNN's calls for pooling, softmax and dropout. Made without a GPU too.
#pragma once

#include <cudnn.h>

#include <limits>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "kernels/cuda/cudnn_graph.h"
#include "kernels/dtype.h"
#include "kernels/pool.h"

namespace roentgen::kernels::cudnn {

// A handle-like pointer with its functions of making and unmaking; move-only.
template <class Raw, cudnnStatus_t (*create)(Raw*), cudnnStatus_t (*destroy)(Raw)>
class Owned {
 public:
  Owned() {
    Raw raw = nullptr;
    check(create(&raw));
    raw_.reset(raw);
  }
  Raw get() const { return raw_.get(); }

 private:
  struct Destroy {
    void operator()(Raw raw) const noexcept { destroy(raw); }
  };
  std::unique_ptr<std::remove_pointer_t<Raw>, Destroy> raw_;
};
using TensorDescriptor =
    Owned<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor>;
using PoolingDescriptor =
    Owned<cudnnPoolingDescriptor_t, cudnnCreatePoolingDescriptor, cudnnDestroyPoolingDescriptor>;
using DropoutDescriptor =
    Owned<cudnnDropoutDescriptor_t, cudnnCreateDropoutDescriptor, cudnnDestroyDropoutDescriptor>;

template <class T>
constexpr cudnnDataType_t data_type = std::is_same_v<T, bfloat16> ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;

// [n, h, w, c] of T, or nothing where an extent is 0 or beyond cuDNN's 32 bits.
template <class T>
std::optional<TensorDescriptor> tensor_descriptor(std::int64_t n, std::int64_t h, std::int64_t w,
                                                  std::int64_t c) {
  constexpr std::int64_t most = std::numeric_limits<int>::max();
  for (const std::int64_t extent : {n, h, w, c})
    if (extent <= 0 || extent > most) return std::nullopt;
  if (h * w > most || h * w * c > most || n > most / (h * w * c)) return std::nullopt;
  TensorDescriptor descriptor;
  check(cudnnSetTensor4dDescriptor(descriptor.get(), CUDNN_TENSOR_NHWC, data_type<T>, static_cast<int>(n),
                                   static_cast<int>(c), static_cast<int>(h), static_cast<int>(w)));
  return descriptor;
}

// Nothing where cuDNN cannot say what the shape says: dilation, or windows of padding alone.
std::optional<PoolingDescriptor> pooling_descriptor(const Pool2dShape& shape, cudnnPoolingMode_t mode);

// True of success, false of what cuDNN does not support; throws what is neither.
inline bool succeeded(cudnnStatus_t status, Site site = Site::current()) {
  if (CUDNN_STATUS_CATEGORY(static_cast<int>(status)) == CUDNN_STATUS_NOT_SUPPORTED) return false;
  check(status, site);
  return true;
}

}  // namespace roentgen::kernels::cudnn

// Tensors: contiguous row-major arrays on a device, values that share storage when copied. Autograd hangs on
// them through a node of the tape (engine/tape.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/device.h"
#include "kernels/dtype.h"

namespace roentgen::engine {

using kernels::bfloat16;
using kernels::Device;
using kernels::Master;

using Shape = std::vector<std::int64_t>;

enum class DType { float32, float64, bfloat16, int32, int64, uint8 };

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) return DType::float32;
  if constexpr (std::is_same_v<T, double>) return DType::float64;
  if constexpr (std::is_same_v<T, kernels::bfloat16>) return DType::bfloat16;
  if constexpr (std::is_same_v<T, std::int32_t>) return DType::int32;
  if constexpr (std::is_same_v<T, std::int64_t>) return DType::int64;
  if constexpr (std::is_same_v<T, std::uint8_t>) return DType::uint8;
}

std::size_t size_of(DType dtype);
std::string to_string(DType dtype);
std::string to_string(const Shape& shape);    // "[16, 64]"
std::string to_string(const Device& device);  // "cpu", "reference", "cuda:0"
// Number of elements; throws std::invalid_argument on a negative extent or where the product overflows.
std::int64_t element_count(const Shape& shape);
// The type of weights and losses beside activations of `dtype`: float64 for float64, else float32.
DType master_of(DType dtype);

// A block of device memory; gives it back to the device's pool when the last tensor lets go.
class Storage {
 public:
  Storage(const Device& device, std::size_t bytes);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  Device device_;
  std::size_t bytes_;
  std::byte* data_;
};

struct Node;

class Tensor {
 public:
  Tensor() = default;  // undefined: no storage
  // Not initialised.
  Tensor(Shape shape, DType dtype, const Device& device = kernels::Cpu{});

  static Tensor zeros(Shape shape, DType dtype, const Device& device = kernels::Cpu{});
  static Tensor full(Shape shape, double value, DType dtype, const Device& device = kernels::Cpu{});
  // Copies `values` to the device; throws std::invalid_argument if their number is not the shape's.
  template <class T>
  static Tensor from(const std::vector<T>& values, Shape shape, const Device& device = kernels::Cpu{}) {
    return from_bytes(values.data(), values.size(), dtype_of<T>(), std::move(shape), device);
  }
  static Tensor from_bytes(const void* host, std::size_t count, DType dtype, Shape shape,
                           const Device& device);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  std::int64_t rank() const { return static_cast<std::int64_t>(shape_.size()); }
  // Extent of an axis; negative axes count from the last. Throws std::invalid_argument.
  std::int64_t dim(std::int64_t axis) const;
  std::int64_t size() const { return size_; }
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * size_of(dtype_); }
  DType dtype() const { return dtype_; }
  const Device& device() const { return device_; }

  // Device memory. Throws std::invalid_argument when T is not the tensor's type.
  template <class T>
  T* data() const {
    expect(dtype_of<T>());
    return reinterpret_cast<T*>(raw());
  }
  std::byte* raw() const { return storage_ ? storage_->data() + offset_ : nullptr; }
  bool same_memory(const Tensor& other) const {
    return storage_ == other.storage_ && offset_ == other.offset_;
  }

  // Copies to the host, of any device.
  template <class T>
  std::vector<T> to_vector() const {
    expect(dtype_of<T>());
    std::vector<T> host(static_cast<std::size_t>(size_));
    copy_to_host(host.data());
    return host;
  }
  std::vector<double> to_doubles() const;  // of any floating type
  double item() const;                     // the only element of a floating tensor
  void copy_to_host(void* host) const;
  // Overwrites all elements, from ordinary memory or from a tensor of the same shape and type on any device.
  void copy_from_host(const void* host) const;
  void copy_from(const Tensor& other) const;

  Tensor to(const Device& device) const;  // explicit copy, no gradient flows through it
  Tensor clone() const;                   // likewise
  // The same memory seen with another shape, or as `count` leading rows from `first` on; no gradient flows.
  Tensor view(Shape shape) const;
  Tensor rows(std::int64_t first, std::int64_t count) const;
  // Elements [offset, offset + size of shape) of the same memory, seen as `shape`: how parameters live in
  // flat buffers.
  Tensor window(std::int64_t offset, Shape shape) const;

  // Autograd. detach() shares the memory and forgets the history.
  Tensor detach() const;
  bool requires_grad() const { return node_ != nullptr; }
  // Makes this a leaf that collects gradients; with `gradient`, in that memory (same shape and type).
  void collect_gradient();
  void collect_gradient(Tensor gradient);
  Tensor grad() const;  // undefined until a backward reached this leaf
  // Forgets the collected gradient without touching its memory: the next backward overwrites it.
  void clear_grad() const;
  const std::shared_ptr<Node>& node() const { return node_; }
  void set_node(std::shared_ptr<Node> node) { node_ = std::move(node); }

 private:
  void expect(DType dtype) const;

  std::shared_ptr<Storage> storage_;
  std::size_t offset_ = 0;  // bytes
  std::int64_t size_ = 0;
  Shape shape_;
  DType dtype_ = DType::float32;
  Device device_;
  std::shared_ptr<Node> node_;
};

}  // namespace roentgen::engine

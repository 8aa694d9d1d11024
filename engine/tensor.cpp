#include "engine/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <stdexcept>

#include "engine/dispatch.h"
#include "engine/tape.h"
#include "kernels/cuda/context.h"
#include "kernels/elementwise.h"
#include "kernels/memory.h"

namespace roentgen::engine {

std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
    case DType::int32:
      return 4;
    case DType::float64:
    case DType::int64:
      return 8;
    case DType::bfloat16:
      return 2;
    case DType::uint8:
      return 1;
  }
  throw std::logic_error("size_of: no such type");
}

std::string to_string(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::bfloat16:
      return "bfloat16";
    case DType::int32:
      return "int32";
    case DType::int64:
      return "int64";
    case DType::uint8:
      return "uint8";
  }
  throw std::logic_error("to_string: no such type");
}

std::string to_string(const Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string to_string(const Device& device) {
  return on(device, [](auto tag) -> std::string {
    if constexpr (std::is_same_v<decltype(tag), kernels::Cpu>) return "cpu";
    if constexpr (std::is_same_v<decltype(tag), kernels::Reference>) return "reference";
    if constexpr (std::is_same_v<decltype(tag), kernels::Cuda>) {
      return fmt::format("cuda:{}", tag.context->ordinal());
    }
  });
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0) throw std::invalid_argument("shape " + to_string(shape) + " has a negative extent");
    if (extent != 0 && count > std::numeric_limits<std::int64_t>::max() / 16 / extent) {
      throw std::invalid_argument("shape " + to_string(shape) + " has too many elements");
    }
    count *= extent;
  }
  return count;
}

DType master_of(DType dtype) {
  return dtype == DType::float64 ? DType::float64 : DType::float32;
}

Storage::Storage(const Device& device, std::size_t bytes)
    : device_(device), bytes_(bytes), data_(static_cast<std::byte*>(on(device, [bytes](auto tag) {
        return kernels::allocate(tag, bytes);
      }))) {}

Storage::~Storage() {
  on(device_, [this](auto tag) { kernels::deallocate(tag, data_, bytes_); });
}

Tensor::Tensor(Shape shape, DType dtype, const Device& device)
    : size_(element_count(shape)), shape_(std::move(shape)), dtype_(dtype), device_(device) {
  storage_ = std::make_shared<Storage>(device, bytes());
}

Tensor Tensor::zeros(Shape shape, DType dtype, const Device& device) {
  Tensor t(std::move(shape), dtype, device);
  on(device, [&t](auto tag) { kernels::zero(tag, t.raw(), t.bytes()); });
  return t;
}

Tensor Tensor::full(Shape shape, double value, DType dtype, const Device& device) {
  Tensor t(std::move(shape), dtype, device);
  dispatch("full", t, [&]<class T>(auto tag, T) { kernels::fill(tag, t.data<T>(), t.size(), value); });
  return t;
}

Tensor Tensor::from_bytes(const void* host, std::size_t count, DType dtype, Shape shape,
                          const Device& device) {
  Tensor t(std::move(shape), dtype, device);
  if (static_cast<std::size_t>(t.size()) != count) {
    throw std::invalid_argument(fmt::format("tensor: {} values for shape {}", count, to_string(t.shape())));
  }
  t.copy_from_host(host);
  return t;
}

std::int64_t Tensor::dim(std::int64_t axis) const {
  const std::int64_t i = axis < 0 ? axis + rank() : axis;
  if (i < 0 || i >= rank()) {
    throw std::invalid_argument(fmt::format("tensor of shape {} has no axis {}", to_string(shape_), axis));
  }
  return shape_[static_cast<std::size_t>(i)];
}

void Tensor::expect(DType dtype) const {
  if (!defined()) throw std::invalid_argument("tensor: used before it was given a value");
  if (dtype != dtype_) {
    throw std::invalid_argument("tensor of type " + to_string(dtype_) + " read as " + to_string(dtype));
  }
}

std::vector<double> Tensor::to_doubles() const {
  std::vector<double> values(static_cast<std::size_t>(size_));
  const auto widen = [&]<class T>(T) {
    const std::vector<T> host = to_vector<T>();
    for (std::size_t i = 0; i < host.size(); ++i) values[i] = static_cast<double>(host[i]);
  };
  switch (dtype_) {
    case DType::float32:
      widen(float{});
      break;
    case DType::float64:
      widen(double{});
      break;
    case DType::bfloat16:
      widen(bfloat16{});
      break;
    default:
      throw std::invalid_argument("to_doubles: takes floating tensors, not " + to_string(dtype_));
  }
  return values;
}

double Tensor::item() const {
  if (size_ != 1) throw std::invalid_argument("item: shape " + to_string(shape_) + " has not one element");
  return to_doubles()[0];
}

void Tensor::copy_to_host(void* host) const {
  if (size_ == 0) return;
  on(device_, [&](auto tag) { kernels::copy_to_host(tag, raw(), host, bytes()); });
}

void Tensor::copy_from_host(const void* host) const {
  if (size_ == 0) return;
  on(device_, [&](auto tag) { kernels::copy_from_host(tag, host, raw(), bytes()); });
}

void Tensor::copy_from(const Tensor& other) const {
  if (other.shape_ != shape_ || other.dtype_ != dtype_) {
    throw std::invalid_argument(fmt::format("copy_from: {} {} into {} {}", to_string(other.dtype_),
                                            to_string(other.shape_), to_string(dtype_), to_string(shape_)));
  }
  if (size_ == 0) return;
  if (device_ == other.device_) {
    on(device_, [&](auto tag) { kernels::copy(tag, other.raw(), raw(), bytes()); });
  } else {
    std::vector<std::byte> host(bytes());
    other.copy_to_host(host.data());
    copy_from_host(host.data());
  }
}

Tensor Tensor::to(const Device& device) const {
  Tensor t(shape_, dtype_, device);
  t.copy_from(*this);
  return t;
}

Tensor Tensor::clone() const {
  return to(device_);
}

Tensor Tensor::view(Shape shape) const {
  if (element_count(shape) != size_) {
    throw std::invalid_argument("view: shape " + to_string(shape_) + " cannot be seen as " +
                                to_string(shape));
  }
  return window(0, std::move(shape));
}

Tensor Tensor::rows(std::int64_t first, std::int64_t count) const {
  if (rank() == 0 || first < 0 || count < 0 || first + count > dim(0)) {
    throw std::invalid_argument(
        fmt::format("rows: shape {} has no rows {} to {}", to_string(shape_), first, first + count));
  }
  Shape shape = shape_;
  shape[0] = count;
  return window(dim(0) == 0 ? 0 : first * (size_ / dim(0)), std::move(shape));
}

Tensor Tensor::window(std::int64_t offset, Shape shape) const {
  const std::int64_t count = element_count(shape);
  if (offset < 0 || offset + count > size_) {
    throw std::invalid_argument(fmt::format("window: {} elements from {} on, of {}", count, offset, size_));
  }
  Tensor t = detach();
  t.offset_ += static_cast<std::size_t>(offset) * size_of(dtype_);
  t.size_ = count;
  t.shape_ = std::move(shape);
  return t;
}

Tensor Tensor::detach() const {
  Tensor t = *this;
  t.node_.reset();
  return t;
}

void Tensor::collect_gradient() {
  collect_gradient(Tensor{});
}

void Tensor::collect_gradient(Tensor gradient) {
  if (gradient.defined() && (gradient.shape() != shape_ || gradient.dtype() != dtype_)) {
    throw std::invalid_argument("collect_gradient: memory of shape " + to_string(gradient.shape()) +
                                " for a tensor of shape " + to_string(shape_));
  }
  node_ = std::make_shared<Node>();
  node_->shape = shape_;
  node_->gradient_dtype = dtype_;
  node_->gradient = std::move(gradient);
}

Tensor Tensor::grad() const {
  return node_ && node_->has_gradient ? node_->gradient : Tensor{};
}

void Tensor::clear_grad() const {
  if (node_) node_->has_gradient = false;
}

}  // namespace roentgen::engine

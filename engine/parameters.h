// Trainable parameters in flat buffers: one of values, one of gradients, so that one kernel updates them all.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "engine/tensor.h"

namespace roentgen::engine {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

class Parameters {
 public:
  struct Spec {
    std::string name;
    Shape shape;
  };

  Parameters() = default;
  // Values and gradients start as zeros. `dtype` is float32 or float64. Throws std::invalid_argument on a
  // name given twice.
  Parameters(const std::vector<Spec>& specs, DType dtype, const Device& device = kernels::Cpu{});

  // Leaves that collect their gradients in the flat buffer. Throws std::invalid_argument on an unknown name.
  const Tensor& at(const std::string& name) const;
  const std::vector<NamedTensor>& all() const { return parameters_; }
  std::int64_t count() const { return count_; }  // of trainable numbers, without padding

  // Flat [size]; each parameter starts on a 64-byte boundary and the padding between them stays 0.
  const Tensor& values() const { return values_; }
  // Laid out as values(). Parameters that no backward reached since clear_gradients() count as 0.
  const Tensor& gradients() const;
  // The window of `flat`, a tensor laid out as values(), that belongs to each parameter; named prefix + name.
  std::vector<NamedTensor> windows(const Tensor& flat, const std::string& prefix = "") const;

  // The next backward overwrites all gradients.
  void clear_gradients() const;

 private:
  Tensor values_, gradients_;
  std::vector<NamedTensor> parameters_;
  std::vector<std::int64_t> offsets_;
  std::unordered_map<std::string, std::size_t> index_;
  std::int64_t count_ = 0;
};

}  // namespace roentgen::engine

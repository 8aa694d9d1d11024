// The tape: each op records a node with the closure that is its backward. Nodes are numbered as they are made
// and visited in falling order, without recursion; gradients are accumulated here and nowhere else.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "engine/tensor.h"

namespace roentgen::engine {

// From the gradient of an op's output, the gradients of its inputs in order; undefined where none is wanted.
// A closure captures detached tensors only: histories are owned by nodes, never by closures.
using Backward = std::function<std::vector<Tensor>(const Tensor& dy)>;

struct Node {
  std::uint64_t number = 0;
  std::vector<std::shared_ptr<Node>> inputs;  // null where no gradient flows
  Backward backward;                          // empty for a leaf
  Shape shape;
  DType gradient_dtype = DType::float32;
  Tensor gradient;
  bool has_gradient = false;  // false: `gradient`, if defined, is memory to be overwritten
  bool lent = false;          // that memory is being written by a backward
  ~Node();                    // takes histories of any length apart with a loop
};

// Gives y the history (inputs, backward) if any input wants a gradient and recording is on. Returns y.
Tensor record(Tensor y, const std::vector<Tensor>& inputs, Backward backward);

// True if recording is on and `x` wants a gradient: ops skip work for gradients nobody wants.
bool wants_gradient(const Tensor& x);

// Recording is off in this thread while one of these lives.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

// Where the gradient of an input will be written. For a leaf whose gradient memory waits to be overwritten
// that memory itself, so that large weight gradients are written once and in place; else new memory. An op
// makes its slots in the order of its inputs: where one leaf stands twice, only the first gets its memory.
class GradientSlot {
 public:
  explicit GradientSlot(const Tensor& input);
  bool wanted() const { return wanted_; }
  // Not initialised; undefined when not wanted.
  Tensor make() const;
  // The same, but memory to be thrown away when not wanted: for kernels that write a gradient in any case.
  Tensor make_anyway() const;

 private:
  bool wanted_ = false;
  std::shared_ptr<Node> leaf_;
  Shape shape_;
  DType dtype_ = DType::float32;
  Device device_;
};

// Propagates from `output` to all leaves, whose gradients accumulate. `cotangent` is the gradient of
// `output`, ones where it is a scalar and none is given. The history is released unless `keep_history`.
// Throws std::invalid_argument when output has no history or the shapes differ.
void backward(const Tensor& output, Tensor cotangent = {}, bool keep_history = false);

}  // namespace roentgen::engine

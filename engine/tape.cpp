#include "engine/tape.h"

#include <atomic>
#include <queue>
#include <stdexcept>

#include "engine/dispatch.h"
#include "kernels/elementwise.h"

namespace roentgen::engine {
namespace {

thread_local bool recording = true;

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> number{0};
  return ++number;
}

// The only place where gradients are added up.
void deliver(Node& node, Tensor gradient) {
  if (gradient.shape() != node.shape || gradient.dtype() != node.gradient_dtype) {
    throw std::logic_error("backward: an op gave a gradient " + to_string(gradient.dtype()) + " " +
                           to_string(gradient.shape()) + " for an input that takes " +
                           to_string(node.gradient_dtype) + " " + to_string(node.shape));
  }
  node.lent = false;
  if (!node.has_gradient) {
    if (node.backward) {
      node.gradient = std::move(gradient);
    } else {  // a leaf owns its memory: later contributions are added in place
      if (!node.gradient.defined())
        node.gradient = Tensor(node.shape, node.gradient_dtype, gradient.device());
      if (!node.gradient.same_memory(gradient)) node.gradient.copy_from(gradient);
    }
    node.has_gradient = true;
    return;
  }
  const bool in_place = !node.backward;  // an op's gradient may be another node's too
  const Tensor target = in_place ? node.gradient : node.gradient.clone();
  dispatch("backward", target, [&]<class T>(auto device, T) {
    kernels::accumulate(device, gradient.data<T>(), target.data<T>(), target.size());
  });
  node.gradient = target;
}

}  // namespace

Node::~Node() {
  std::vector<std::shared_ptr<Node>> pending;
  const auto take = [&pending](std::vector<std::shared_ptr<Node>>& owned) {
    for (auto& node : owned) {
      if (node) pending.push_back(std::move(node));
    }
    owned.clear();
  };
  take(inputs);
  while (!pending.empty()) {
    const std::shared_ptr<Node> node = std::move(pending.back());
    pending.pop_back();
    if (node.use_count() == 1) take(node->inputs);
  }
}

NoGrad::NoGrad() : before_(recording) {
  recording = false;
}
NoGrad::~NoGrad() {
  recording = before_;
}

bool wants_gradient(const Tensor& x) {
  return recording && x.requires_grad();
}

Tensor record(Tensor y, const std::vector<Tensor>& inputs, Backward backward) {
  bool wanted = false;
  for (const Tensor& x : inputs) wanted = wanted || wants_gradient(x);
  if (!wanted) return y;
  auto node = std::make_shared<Node>();
  node->number = next_number();
  for (const Tensor& x : inputs) node->inputs.push_back(x.node());
  node->backward = std::move(backward);
  node->shape = y.shape();
  node->gradient_dtype = y.dtype();
  y.set_node(std::move(node));
  return y;
}

GradientSlot::GradientSlot(const Tensor& input)
    : wanted_(wants_gradient(input)), shape_(input.shape()), dtype_(input.dtype()), device_(input.device()) {
  if (wanted_ && !input.node()->backward) leaf_ = input.node();
}

Tensor GradientSlot::make() const {
  if (!wanted_) return {};
  if (leaf_ && leaf_->gradient.defined() && !leaf_->has_gradient && !leaf_->lent) {
    leaf_->lent = true;
    return leaf_->gradient;
  }
  return Tensor(shape_, dtype_, device_);
}

Tensor GradientSlot::make_anyway() const {
  return wanted_ ? make() : Tensor(shape_, dtype_, device_);
}

namespace {

const Backward released = [](const Tensor&) -> std::vector<Tensor> {
  throw std::invalid_argument("backward: this history was released by an earlier backward");
};

struct Older {
  bool operator()(const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) const {
    return a->number < b->number;
  }
};

// Nodes whose gradient is complete once they are on top. Gradients that an exception leaves waiting are
// forgotten, so that they aren't taken for part of a later backward.
class ReadyQueue {
 public:
  ReadyQueue() = default;
  ReadyQueue(const ReadyQueue&) = delete;
  ReadyQueue& operator=(const ReadyQueue&) = delete;
  ~ReadyQueue() {
    while (!queue_.empty()) pop();
  }
  bool empty() const { return queue_.empty(); }
  void push(const std::shared_ptr<Node>& node) { queue_.push(node); }
  const std::shared_ptr<Node>& top() const { return queue_.top(); }
  void pop() {
    queue_.top()->gradient = {};
    queue_.top()->has_gradient = false;
    queue_.pop();
  }

 private:
  std::priority_queue<std::shared_ptr<Node>, std::vector<std::shared_ptr<Node>>, Older> queue_;
};

}  // namespace

void backward(const Tensor& output, Tensor cotangent, bool keep_history) {
  if (!output.requires_grad())
    throw std::invalid_argument("backward: the output has no history to go back through");
  if (!cotangent.defined()) {
    if (output.size() != 1) {
      throw std::invalid_argument("backward: an output of shape " + to_string(output.shape()) +
                                  " needs a cotangent; only a scalar goes without");
    }
    cotangent = Tensor::full(output.shape(), 1, output.dtype(), output.device());
  }
  if (cotangent.shape() != output.shape() || cotangent.dtype() != output.dtype() ||
      cotangent.device() != output.device()) {
    throw std::invalid_argument("backward: a cotangent " + to_string(cotangent.dtype()) + " " +
                                to_string(cotangent.shape()) + " on " + to_string(cotangent.device()) +
                                " for an output " + to_string(output.dtype()) + " " +
                                to_string(output.shape()) + " on " + to_string(output.device()));
  }
  const NoGrad no_grad;
  ReadyQueue ready;
  deliver(*output.node(), cotangent.detach());
  if (output.node()->backward) ready.push(output.node());
  while (!ready.empty()) {
    const std::shared_ptr<Node> node = ready.top();
    std::vector<Tensor> gradients = node->backward(node->gradient);
    if (gradients.size() != node->inputs.size()) {
      throw std::logic_error("backward: an op gave another number of gradients than it has inputs");
    }
    ready.pop();
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      const std::shared_ptr<Node>& input = node->inputs[i];
      if (!input || !gradients[i].defined()) continue;
      const bool first = !input->has_gradient;
      deliver(*input, std::move(gradients[i]));
      if (first && input->backward) ready.push(input);
    }
    if (!keep_history) {
      node->backward = released;
      node->inputs.clear();
    }
  }
}

}  // namespace roentgen::engine

// Optimisers: each step is one pass over the flat buffers of Parameters.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/parameters.h"

namespace roentgen::engine {

class Optimizer {
 public:
  // Shares the parameters' buffers; state starts as zeros.
  explicit Optimizer(const Parameters& parameters) : parameters_(parameters) {}
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // Moves the parameters against their gradients, at learning rate lr. Gradients stay as they are.
  void step(double lr);
  std::int64_t steps() const { return steps_; }  // taken so far
  void set_steps(std::int64_t steps);            // of a checkpoint; throws std::invalid_argument if negative

  virtual std::string kind() const = 0;  // "adam", "adamw" or "sgd"
  // One tensor per parameter and state, "adam.m.conv1.weight": windows of the state itself, to be saved from
  // and loaded into with copy_from.
  virtual std::vector<NamedTensor> state() const = 0;

 protected:
  virtual void update(double lr, std::int64_t step) = 0;  // step counts from 1
  Tensor zeros_like_values() const;
  Parameters parameters_;

 private:
  std::int64_t steps_ = 0;
};

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7;
  // false as Keras: epsilon is added before the bias correction of sqrt(v); true as PyTorch, where it is
  // 1e-8.
  bool epsilon_after_correction = false;
};

// Kingma and Ba 2015, as Keras computes it.
class Adam : public Optimizer {
 public:
  explicit Adam(const Parameters& parameters, const AdamOptions& options = {});
  std::string kind() const override { return "adam"; }
  std::vector<NamedTensor> state() const override;

 protected:
  void update(double lr, std::int64_t step) override;
  double weight_decay_ = 0;

 private:
  AdamOptions options_;
  Tensor m_, v_;
};

// Adam with decoupled weight decay (Loshchilov and Hutter 2019): w -= lr * weight_decay * w before each step.
// As in Keras (whose default is 0.004) every parameter decays, biases too.
class AdamW : public Adam {
 public:
  explicit AdamW(const Parameters& parameters, double weight_decay = 0.004, const AdamOptions& options = {});
  std::string kind() const override { return "adamw"; }
};

struct SgdOptions {
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;  // added to the gradient
};

// Stochastic gradient descent; momentum as in Keras.
class Sgd : public Optimizer {
 public:
  explicit Sgd(const Parameters& parameters, const SgdOptions& options = {});
  std::string kind() const override { return "sgd"; }
  std::vector<NamedTensor> state() const override;  // empty without momentum

 protected:
  void update(double lr, std::int64_t step) override;

 private:
  SgdOptions options_;
  Tensor velocity_;
};

// Scales all gradients so that their common norm is at most max_norm. Returns the norm before; where that is
// not finite the gradients stay as they are, for the caller to see.
double clip_gradient_norm(const Parameters& parameters, double max_norm);
// Moves each gradient element into [-limit, limit].
void clip_gradient_value(const Parameters& parameters, double limit);

}  // namespace roentgen::engine

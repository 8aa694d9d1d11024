// Where a case is timed: a device, and the choice of its convolution engines.
#pragma once

#include <string>
#include <vector>

#include "engine/tensor.h"
#include "kernels/cpu/conv_engine.h"

namespace roentgen::bench {

struct Target {
  std::string name;  // "cpu", "reference", "cuda"
  engine::Device device;
  kernels::Engines engines = {};
};

// Every device of this build and machine.
const std::vector<Target>& targets();

// The processor with oneDNN for all convolutions, where it is built in: "cpu" chooses the fastest engine.
const std::vector<Target>& engine_targets();

// Allows the target's engines alone while it lives.
class EngineChoice {
 public:
  explicit EngineChoice(const Target& target) : before_(kernels::allowed_engines()) {
    kernels::allowed_engines() = target.engines;
  }
  ~EngineChoice() { kernels::allowed_engines() = before_; }
  EngineChoice(const EngineChoice&) = delete;
  EngineChoice& operator=(const EngineChoice&) = delete;

 private:
  kernels::Engines before_;
};

}  // namespace roentgen::bench

// One device's cuDNN: its handle, and the convolution plans that were chosen for it. A part of CudaContext.
#pragma once

#include <deque>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "kernels/cuda/context.h"
#include "kernels/cuda/cudnn_conv_graph.h"
#include "kernels/cuda/plan_cache.h"

namespace roentgen::kernels::cudnn {

// Throws DeviceError where the library at run time does not fit the headers we were compiled with.
void check_version(std::size_t running, std::size_t compiled);

// Tensors of a graph by letter.
using Arguments = std::initializer_list<std::pair<char, const void*>>;

class Library {
 public:
  explicit Library(CudaContext& context);

  // Works on the device's stream.
  cudnnHandle_t handle() const { return handle_.get(); }

  // False where cuDNN has no plan, or a tensor is not aligned; nothing is written then.
  bool run(const ConvProblem& problem, Arguments arguments);

 private:
  struct DestroyHandle {
    void operator()(cudnnHandle_t handle) const noexcept { cudnnDestroy(handle); }
  };
  struct Choice {
    ConvProblem problem;
    std::string arguments;
    std::shared_ptr<const Plan> plan;  // empty where there is none
  };
  const Choice& choose(const ConvProblem& problem, Arguments arguments);
  std::shared_ptr<const Plan> remembered(const std::string& key) const;
  // The first configuration that runs or, where there is time to look, the fastest.
  std::shared_ptr<const Plan> fastest(const std::vector<Configuration>& configurations,
                                      const std::string& letters, const std::vector<void*>& pointers,
                                      bool timed) const;

  CudaContext& context_;
  std::unique_ptr<cudnnContext, DestroyHandle> handle_;
  std::string device_name_;
  PlanCache cache_;
  std::mutex mutex_;
  std::deque<Choice> choices_;  // a network has few: looked through one by one
};

}  // namespace roentgen::kernels::cudnn

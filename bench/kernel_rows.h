// The table of kernel cases. A line of it is a generic function make(device, T{}, geometry) that returns a
// Case; it becomes one row per device and type.
#pragma once

#include <string>
#include <variant>

#include "bench/case.h"
#include "bench/settings.h"
#include "bench/target.h"

namespace roentgen::bench {

using MakeCase = std::function<Case(const Geometry&)>;

// Registers one row: `make` builds the case for the target, `make_reference` the same for `reference`, whose
// results it is measured against.
void add_kernel_row(const std::string& name, const Target& target, DType dtype, MakeCase make,
                    MakeCase make_reference, const Settings& settings);

class KernelTable {
 public:
  explicit KernelTable(const Settings& settings) : settings_(settings) {}

  // `kernel` and `label` name the row: conv2d_forward/conv1/cpu/float32.
  template <class F>
  void add(const std::string& kernel, const std::string& label, F make) const {
    for (const Target& target : targets()) {
      add_row<float>(kernel, label, target, make);
      add_row<kernels::bfloat16>(kernel, label, target, make);
    }
  }
  // For kernels of parameters, which are never bfloat16.
  template <class F>
  void add_float32(const std::string& kernel, const std::string& label, F make) const {
    for (const Target& target : targets()) add_row<float>(kernel, label, target, make);
  }
  // For convolutions: also with the other engine.
  template <class F>
  void add_convolution(const std::string& kernel, const std::string& label, F make) const {
    add(kernel, label, make);
    for (const Target& target : engine_targets()) {
      add_row<float>(kernel, label, target, make);
      add_row<kernels::bfloat16>(kernel, label, target, make);
    }
  }

 private:
  template <class T, class F>
  void add_row(const std::string& kernel, const std::string& label, const Target& target, F make) const {
    std::visit(
        [&](auto device) {
          add_kernel_row(
              kernel + "/" + label, target, engine::dtype_of<T>(),
              [make, device](const Geometry& g) { return make(device, T{}, g); },
              [make](const Geometry& g) { return make(kernels::Reference{}, T{}, g); }, settings_);
        },
        target.device);
  }

  const Settings& settings_;
};

// One per family.
void add_conv_cases(const KernelTable& table);
void add_dense_cases(const KernelTable& table);
void add_image_cases(const KernelTable& table);
void add_loss_cases(const KernelTable& table);
void add_elementwise_cases(const KernelTable& table);

}  // namespace roentgen::bench

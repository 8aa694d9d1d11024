// The options that say what the network looks like and where it computes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/options.h"
#include "engine/tensor.h"
#include "model/sequential.h"

namespace roentgen::apps {

struct NetworkArgs {
  std::int64_t image_size = 256;
  std::vector<std::int64_t> filters = {32, 64, 128};
  std::int64_t dense = 64;
  std::optional<double> dropout;

  void add_to(Options& options);
  // Throws UsageError where the images are too small for the depth.
  model::Sequential network(std::int64_t classes) const;
};

struct DeviceArgs {
  std::string device = "auto";
  std::string precision = "float32";
  int threads = 0;

  void add_to(Options& options);
  engine::DType dtype() const;
  // Sets the number of threads and finds the device. Throws engine::DeviceError; UsageError for a name that
  // is no device or a precision that the device does not compute in.
  engine::Device open() const;
};

}  // namespace roentgen::apps

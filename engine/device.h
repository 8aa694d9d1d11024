// Names of devices as people write them.
#pragma once

#include <string>

#include "kernels/device.h"
#include "kernels/error.h"

namespace roentgen::engine {

using kernels::Device;
using kernels::DeviceError;

// From auto, cpu, reference, cuda or cuda:N. auto is the best device that works. Throws
// std::invalid_argument for any other text, DeviceError for a device that this build or machine lacks.
Device parse_device(const std::string& name);

}  // namespace roentgen::engine

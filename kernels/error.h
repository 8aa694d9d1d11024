// Errors of devices, and the place in our code that they are reported with.
#pragma once

#include <stdexcept>

namespace roentgen::kernels {

// A device that is absent, or that reported an error: the message holds the library's own text.
struct DeviceError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// std::source_location's part that we use; clang 14 has no such thing, but the built-ins beneath it.
struct Site {
  const char* file;
  int line;

  static constexpr Site current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

}  // namespace roentgen::kernels

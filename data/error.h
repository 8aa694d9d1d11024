// What goes wrong with data. The message is one sentence: what, where, what to do.
#pragma once

#include <stdexcept>

namespace roentgen::data {

// The data cannot be used: broken image, empty class, missing folder, foreign class. Exit code 3.
struct DataError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A file cannot be written: no permission, disk full. Exit code 74.
struct IoError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace roentgen::data

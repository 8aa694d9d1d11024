// What goes wrong with files of the model. The message is one sentence: what, where, what to do.
#pragma once

#include <stdexcept>

namespace roentgen::model {

// A checkpoint or weight file is damaged, foreign or of another network. Exit code 4.
struct CheckpointError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A file cannot be read or written: missing, no permission, disk full. Exit code 74.
struct IoError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace roentgen::model

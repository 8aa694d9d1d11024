// From exceptions to one sentence on stderr and the program's exit codes.
#pragma once

#include <functional>
#include <stdexcept>

namespace roentgen::apps {

// Exit codes, documented in `roentgen --help`.
enum ExitCode {
  exit_ok = 0,
  exit_failure = 1,
  exit_usage = 2,
  exit_data = 3,
  exit_checkpoint = 4,
  exit_device = 5,
  exit_diverged = 6,
  exit_io = 74,
  exit_signal = 128,  // plus the signal's number: 130, 143
};

// The command line asks for something that makes no sense, or would destroy something.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A signal asked the program to stop and what could be saved is saved.
struct Interrupted : std::runtime_error {
  Interrupted(int signal_number, const std::string& message)
      : std::runtime_error(message), signal(signal_number) {}
  int signal;
};

// Runs `body`; an exception becomes "roentgen: sentence" on stderr (with its type if `debug`) and the exit
// code that is returned.
int guarded(const std::function<void()>& body, const bool& debug);

}  // namespace roentgen::apps

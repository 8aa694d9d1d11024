#include "apps/signals.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace roentgen::apps {

namespace {

std::atomic<int> noted = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not wait for a lock");

void note_signal(int number) {
  if (noted != 0) _exit(128 + number);
  noted = number;
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = note_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int stop_signal() {
  return noted;
}

}  // namespace roentgen::apps

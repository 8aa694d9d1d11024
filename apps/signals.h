// SIGINT and SIGTERM.
#pragma once

namespace roentgen::apps {

// From now on the first SIGINT or SIGTERM is only noted; a second one ends the program at once.
void catch_stop_signals();

// The signal that was noted, or 0.
int stop_signal();

}  // namespace roentgen::apps

// The whole program but for main().
#pragma once

namespace roentgen::apps {

// Runs the command line and returns the exit code.
int run_program(int argc, char** argv);

}  // namespace roentgen::apps

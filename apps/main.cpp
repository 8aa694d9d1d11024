#include <csignal>

#include "apps/program.h"

int main(int argc, char** argv) {
  // A file over the size limit is then an error that can be reported, as a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  return roentgen::apps::run_program(argc, argv);
}

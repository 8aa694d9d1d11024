#include "apps/program.h"

#include <fmt/format.h>

#include <iostream>
#include <string>

#include "apps/commands.h"
#include "apps/errors.h"
#include "model/error.h"

namespace roentgen::apps {

namespace {

constexpr const char* footer =
    R"(Options are taken from the command line, before ROENTGEN_* in the environment (ROENTGEN_BATCH_SIZE), before
--config FILE, before the defaults. Results go to stdout, everything else to stderr.

Exit codes: 0 ok, 1 run-time error, 2 usage, 3 data, 4 checkpoint, 5 device, 6 training diverged,
74 input/output, 130 and 143 stopped by SIGINT and SIGTERM.

For research and education, not for diagnosis.
)";

}  // namespace

int run_program(int argc, char** argv) {
  CLI::App program("roentgen: trains and uses classifiers of chest X-rays", "roentgen");
  program.set_version_flag("--version", "roentgen " ROENTGEN_VERSION);
  program.require_subcommand(1);
  program.fallthrough();
  program.footer(footer);
  bool debug = false;
  program.add_flag("--debug", debug, "Say more about errors")->envname("ROENTGEN_DEBUG");
  add_train(program);
  add_evaluate(program);
  add_predict(program);
  add_summary(program);
  add_phantom(program);
  add_bench(program);
  for (CLI::App* command : program.get_subcommands({})) command->get_formatter()->column_width(34);

  int code = exit_ok;
  const int failed = guarded(
      [&] {
        try {
          program.parse(argc, argv);
        } catch (const CLI::ParseError& error) {
          if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
            code = program.exit(error);  // --help, --version
            if (!std::cout.flush()) throw model::IoError("cannot write to standard output");
            return;
          }
          const auto used = program.get_subcommands();
          const auto left = program.remaining();
          if (used.empty() && !left.empty()) {
            throw UsageError(
                fmt::format("there is no command or option '{}'; see roentgen --help", left.front()));
          }
          throw UsageError(fmt::format("{}; see roentgen {}--help", error.what(),
                                       used.empty() ? "" : used.front()->get_name() + " "));
        }
      },
      debug);
  return failed ? failed : code;
}

}  // namespace roentgen::apps

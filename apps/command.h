// How a command is put together from its arguments and what it does.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "apps/options.h"

namespace roentgen::apps {

// Adds a command whose arguments are an `Args` with a member add_to(Options&); run(args, options) is called
// when all of them have their values.
template <class Args, class Run>
void add_command(CLI::App& program, const std::string& name, const std::string& description,
                 const std::string& examples, Run run) {
  struct Held {
    Args args;
    Options options;
    explicit Held(CLI::App& command) : options(command) { args.add_to(options); }
  };
  CLI::App* command = program.add_subcommand(name, description);
  command->footer(examples + "\n");
  const auto held = std::make_shared<Held>(*command);
  command->callback([held, run] {
    held->options.read_config();
    run(held->args, held->options);
  });
}

}  // namespace roentgen::apps

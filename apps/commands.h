// The program's commands. Each adds itself to the program; its callback runs it and throws what goes wrong.
#pragma once

#include <CLI/CLI.hpp>

namespace roentgen::apps {

void add_train(CLI::App& program);
void add_evaluate(CLI::App& program);
void add_predict(CLI::App& program);
void add_summary(CLI::App& program);
void add_phantom(CLI::App& program);
void add_bench(CLI::App& program);

}  // namespace roentgen::apps

// From starting the program to its end, where it has next to nothing to do.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "bench/rows.h"

namespace roentgen::bench {

namespace {

// Throws where the program cannot be run or fails.
void run(const std::string& program, const std::string& argument) {
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  std::string name = program, word = argument;
  char* const arguments[] = {name.data(), word.data(), nullptr};
  pid_t child = 0;
  const int failed = posix_spawn(&child, name.c_str(), &quiet, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&quiet);
  int status = 0;
  if (failed || waitpid(child, &status, 0) < 0 || status != 0) {
    throw std::runtime_error(
        fmt::format("'{} {}' failed; name the program with --program=PATH", program, argument));
  }
}

}  // namespace

void add_startup_rows(const Settings& settings) {
  if (!std::filesystem::exists(settings.program)) return;
  for (const std::string argument : {"--version", "summary"}) {
    const std::string row = "startup/" + (argument.starts_with("--") ? argument.substr(2) : argument);
    auto* benchmark = benchmark::RegisterBenchmark(
        row.c_str(), [program = settings.program.string(), argument](benchmark::State& state) {
          for (auto _ : state) run(program, argument);
          state.SetLabel("roentgen " + argument);
        });
    benchmark->UseRealTime()->Unit(benchmark::kMillisecond);
    if (settings.smoke) benchmark->Iterations(1);
  }
}

}  // namespace roentgen::bench

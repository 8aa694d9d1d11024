#include "tests/apps/support.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace roentgen::apps::test {

namespace {

void redirect(int descriptor, const std::string& file) {
  const int opened = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (opened < 0 || ::dup2(opened, descriptor) < 0) ::_exit(126);
}

void limit(int resource, long bytes) {
  if (bytes == 0) return;
  const rlimit limits{static_cast<rlim_t>(bytes), static_cast<rlim_t>(bytes)};
  ::setrlimit(static_cast<__rlimit_resource>(resource), &limits);
}

}  // namespace

ProgramTest::ProgramTest() {
  std::string pattern = (std::filesystem::temp_directory_path() / "roentgen-test-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp failed");
  folder_ = pattern;
}

ProgramTest::~ProgramTest() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

pid_t ProgramTest::start(const Words& words, const How& how) const {
  const pid_t process = ::fork();
  if (process != 0) return process;
  if (::chdir(folder_.c_str()) != 0) ::_exit(126);
  redirect(STDOUT_FILENO, how.stdout_to.empty() ? ".stdout" : how.stdout_to);
  redirect(STDERR_FILENO, ".stderr");
  limit(RLIMIT_FSIZE, how.file_size_limit);
  limit(RLIMIT_AS, how.memory_limit);
  for (const auto& [name, value] : how.environment) ::setenv(name.c_str(), value.c_str(), 1);
  Words all = words;
  all.insert(all.begin(), ROENTGEN_PROGRAM);
  std::vector<char*> arguments;
  for (std::string& word : all) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(ROENTGEN_PROGRAM, arguments.data());
  ::_exit(127);
}

Outcome ProgramTest::finish(pid_t process) const {
  int status = 0;
  ::waitpid(process, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read(".stdout"), read(".stderr")};
}

Outcome ProgramTest::run(const Words& words, const How& how) const {
  return finish(start(words, how));
}

void ProgramTest::make_phantoms() const {
  const Outcome o = run(
      {"phantom", "--output", "xrays", "--train-per-class", "8", "--test-per-class", "3", "--size", "64"});
  ASSERT_EQ(o.code, 0) << o.err;
}

Words ProgramTest::small_train(const Words& more) const {
  Words words = {"train", "--data", "xrays", "--image-size", "32", "--filters", "4,8", "--dense",
                 "8",     "-b",     "4",     "--seed",       "1",  "--epochs",  "2",   "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

void ProgramTest::make_run() const {
  make_phantoms();
  const Outcome o = run(small_train({"--output", "run", "--epochs", "1"}));
  ASSERT_EQ(o.code, 0) << o.err;
}

std::string ProgramTest::read(const std::string& name) const {
  std::ifstream in(path(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void ProgramTest::write(const std::string& name, const std::string& bytes) const {
  std::filesystem::create_directories(path(name).parent_path());
  std::ofstream(path(name), std::ios::binary) << bytes;
}

std::vector<std::string> ProgramTest::lines(const std::string& name) const {
  std::istringstream in(read(name));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool is_one_sentence(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n') == 1 && text.back() == '\n';
}

}  // namespace roentgen::apps::test

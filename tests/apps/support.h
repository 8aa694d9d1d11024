// Runs the program as a user does, in a folder of its own.
#pragma once

#include <gtest/gtest.h>

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace roentgen::apps::test {

using Words = std::vector<std::string>;

struct Outcome {
  int code = -1;  // exit code, or 128 + the signal that killed it
  std::string out, err;
};

struct How {
  std::map<std::string, std::string> environment = {};
  long memory_limit = 0;       // bytes of address space, 0 for none
  long file_size_limit = 0;    // bytes, 0 for none
  std::string stdout_to = {};  // a file instead of Outcome::out
};

// A folder that goes away with the test, and the program running in it.
class ProgramTest : public testing::Test {
 protected:
  ProgramTest();
  ~ProgramTest() override;

  Outcome run(const Words& words, const How& how = {}) const;
  // Starts the program; finish() waits for it.
  pid_t start(const Words& words, const How& how = {}) const;
  Outcome finish(pid_t process) const;

  // Three classes of phantoms, 8 to train and 3 to test with of each, 64 x 64, in "xrays".
  void make_phantoms() const;
  // `train` with a network of 2,747 parameters on them.
  Words small_train(const Words& more) const;
  // A finished run of one epoch in "run".
  void make_run() const;

  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  std::string read(const std::string& name) const;
  void write(const std::string& name, const std::string& bytes) const;
  bool exists(const std::string& name) const { return std::filesystem::exists(path(name)); }
  // The rows of a CSV file as they are, without the line ends.
  std::vector<std::string> lines(const std::string& name) const;

 private:
  std::filesystem::path folder_;
};

// True if `text` is one line.
bool is_one_sentence(const std::string& text);

}  // namespace roentgen::apps::test

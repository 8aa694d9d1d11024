// A small dictionary of texts that outlives the process: which plans were chosen for which problems.
#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace roentgen::kernels {

class PlanCache {
 public:
  // An empty path keeps everything in memory. A file that is absent, unreadable or damaged counts as empty
  // and is made anew by the next store.
  explicit PlanCache(std::filesystem::path file);

  // $ROENTGEN_CACHE_DIR, else $XDG_CACHE_HOME/roentgen, else ~/.cache/roentgen; empty where none is set.
  static std::filesystem::path default_file();

  std::optional<std::string> find(const std::string& key) const;
  // Keeps what other processes have stored meanwhile. The file is replaced whole or not at all; false where
  // it could not be, which costs the next process some time and nothing else.
  bool store(const std::string& key, const std::string& plan);

 private:
  using Plans = std::map<std::string, std::string>;
  static Plans read(const std::filesystem::path& file);
  static bool write(const std::filesystem::path& file, const Plans& plans);

  const std::filesystem::path file_;
  mutable std::mutex mutex_;
  Plans plans_;
};

}  // namespace roentgen::kernels

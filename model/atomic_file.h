// Files that appear whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace roentgen::model {

// Collects bytes in a temporary beside `target` and moves it there on commit(): whoever reads `target`, at
// any instant and after a crash, sees the old file or the new one. All errors are IoError, naming the file
// and the system's reason; the temporary is removed and the old file left as it was. A link is followed; a
// folder, device or pipe as target is an error.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();  // without commit(): forgets it
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Flushes to the disk, renames, flushes the folder.
  void commit();

 private:
  [[noreturn]] void fail(const char* what, int error);
  void discard() noexcept;

  std::filesystem::path target_, temporary_;
  int descriptor_ = -1;
};

}  // namespace roentgen::model

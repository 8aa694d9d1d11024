#include "data/file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "data/error.h"

namespace roentgen::data {
namespace {

constexpr std::int64_t max_file_bytes = std::int64_t{1} << 30;

std::string reason(int error) {
  return std::generic_category().message(error);
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int value) : value_(value) {}
  ~FileDescriptor() {
    if (value_ >= 0) ::close(value_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return value_; }
  // Closes now, to learn of errors that a full disk reports only here.
  int close() { return ::close(std::exchange(value_, -1)); }

 private:
  int value_;
};

}  // namespace

std::string printable(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      if (c == '\'' || c == '\\') line += '\\';
      line += c;
    }
  }
  return line;
}

std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  const auto fail = [&](const std::string& why) -> DataError {
    return DataError(fmt::format("cannot read '{}': {}", printable(path), why));
  };
  // O_NONBLOCK: a pipe of that name must not hang the open.
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status = {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) throw fail(reason(errno));
  if (!S_ISREG(status.st_mode)) throw fail("it is no regular file");
  if (status.st_size > max_file_bytes) throw fail("it is larger than 1 GiB");

  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw fail(reason(errno));
    if (got == 0) throw fail("it shrank while it was read");
    filled += static_cast<std::size_t>(got);
  }
  return bytes;
}

void write_file(const std::filesystem::path& path, std::span<const std::uint8_t> bytes) {
  const auto fail = [&](int error) -> IoError {
    return IoError(fmt::format("cannot write '{}': {}", printable(path), reason(error)));
  };
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.get() < 0) throw fail(errno);
  while (!bytes.empty()) {
    const ssize_t put = ::write(file.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw fail(errno);
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  if (file.close() != 0) throw fail(errno);
}

}  // namespace roentgen::data

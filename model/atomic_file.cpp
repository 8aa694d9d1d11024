#include "model/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "model/error.h"

namespace roentgen::model {
namespace {

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : std::filesystem::path(".");
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target) : target_(std::move(target)) {
  // A rename would put a file in place of a link, a device or a pipe: links are followed, the rest refused.
  std::error_code none;
  if (std::filesystem::is_symlink(target_, none)) {
    const auto real = std::filesystem::canonical(target_, none);
    if (!none) target_ = real;
  }
  const auto status = std::filesystem::status(target_, none);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw IoError(fmt::format("{}: cannot be written: it is {}", target_.string(),
                              std::filesystem::is_directory(status) ? "a folder" : "no regular file"));
  }
  // One name per target, so that what a killed run left behind is replaced and does not pile up.
  temporary_ = folder_of(target_) / fmt::format(".{}.tmp", target_.filename().string());
  ::unlink(temporary_.c_str());
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0) fail("cannot create a file beside it", errno);
}

AtomicFile::~AtomicFile() {
  discard();
}

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    descriptor_ = -1;
  }
  if (!temporary_.empty()) {
    ::unlink(temporary_.c_str());
    temporary_.clear();
  }
}

void AtomicFile::fail(const char* what, int error) {
  if (descriptor_ < 0) temporary_.clear();  // never created, or renamed
  discard();
  throw IoError(fmt::format("{}: cannot be written: {}: {}", target_.string(), what,
                            std::generic_category().message(error)));
}

void AtomicFile::write(const void* data, std::size_t bytes) {
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t written = ::write(descriptor_, next, std::min<std::size_t>(bytes, 1u << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("write failed", written < 0 ? errno : EIO);
    next += written;
    bytes -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail("fsync failed", errno);
  const int closed = ::close(descriptor_);
  const int close_error = errno;
  descriptor_ = -1;
  if (closed != 0) {
    ::unlink(temporary_.c_str());
    fail("close failed", close_error);
  }
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    fail("rename failed", error);
  }
  temporary_.clear();
  const int folder = ::open(folder_of(target_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) fail("its folder cannot be opened", errno);
  // Some file systems have nothing to flush in a folder and say so with EINVAL.
  const int error = ::fsync(folder) != 0 ? errno : 0;
  ::close(folder);
  if (error != 0 && error != EINVAL) fail("fsync of its folder failed", error);
}

}  // namespace roentgen::model

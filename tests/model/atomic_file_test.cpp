// Full disks, limits, missing rights: the old file stays, no temporary does, and the error says why.
#include "model/atomic_file.h"

#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "model/error.h"
#include "model/safetensors.h"
#include "tests/model/support.h"

namespace roentgen::model {
namespace {

using test::Folder;
using test::message_of;
using test::read_file;
using test::write_file;
using testing::AllOf;
using testing::HasSubstr;

std::size_t entries(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}

void write_atomically(const std::filesystem::path& file, const std::string& bytes) {
  AtomicFile out(file);
  out.write(bytes);
  out.commit();
}

// Files of this process are limited to `bytes` while one lives: a disk that is full, without needing a disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

// Root may write anywhere: become nobody for a while.
class Unprivileged {
 public:
  Unprivileged() {
    if (::geteuid() == 0) root_ = ::seteuid(65534) == 0;
  }
  ~Unprivileged() {
    if (root_ && ::seteuid(0) != 0) std::abort();
  }
  Unprivileged(const Unprivileged&) = delete;
  Unprivileged& operator=(const Unprivileged&) = delete;

 private:
  bool root_ = false;
};

TEST(AtomicFile, ReplacesWholeFiles) {
  const Folder folder;
  const auto file = folder / "a";
  write_atomically(file, "old");
  EXPECT_EQ(read_file(file), "old");
  {
    AtomicFile out(file);
    out.write("ne");
    EXPECT_EQ(read_file(file), "old");
    out.write("w");
    out.commit();
  }
  EXPECT_EQ(read_file(file), "new");
  { AtomicFile(file).write("forgotten"); }
  EXPECT_EQ(read_file(file), "new");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(AtomicFile, WritesBesideTheWorkingFolder) {
  const Folder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  write_atomically("plain", "x");
  std::filesystem::current_path(before);
  EXPECT_EQ(read_file(folder / "plain"), "x");
}

TEST(AtomicFile, ReplacesWhatAKilledRunLeft) {
  const Folder folder;
  write_file(folder / ".a.tmp", "half a file");
  write_atomically(folder / "a", "whole");
  EXPECT_EQ(read_file(folder / "a"), "whole");
  EXPECT_EQ(entries(folder.path()), 1u);
}

// The temporary's name may have been made a link to somebody's file: that file is left alone.
TEST(AtomicFile, FollowsNoLinkPlantedAsItsTemporary) {
  const Folder folder;
  write_file(folder / "precious", "kept");
  std::filesystem::create_symlink(folder / "precious", folder / ".a.tmp");
  write_atomically(folder / "a", "whole");
  EXPECT_EQ(read_file(folder / "precious"), "kept");
  EXPECT_EQ(read_file(folder / "a"), "whole");
}

TEST(AtomicFile, MissingFolder) {
  const Folder folder;
  EXPECT_THAT(message_of<IoError>([&] { write_atomically(folder / "no" / "a", "x"); }),
              AllOf(HasSubstr("no/a: cannot be written"), HasSubstr("No such file or directory")));
}

TEST(AtomicFile, FolderInThePlaceOfTheFile) {
  const Folder folder;
  std::filesystem::create_directories(folder / "a" / "b");
  EXPECT_THAT(message_of<IoError>([&] { write_atomically(folder / "a", "x"); }), HasSubstr("it is a folder"));
  EXPECT_EQ(entries(folder.path()), 1u);
}

// As root a rename would put a file in place of /dev/null.
TEST(AtomicFile, LeavesPipesAndLinksInPlace) {
  const Folder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(message_of<IoError>([&] { write_atomically(folder / "pipe", "x"); }),
              HasSubstr("no regular file"));
  EXPECT_TRUE(std::filesystem::is_fifo(folder / "pipe"));
  write_file(folder / "real", "old");
  std::filesystem::create_symlink("real", folder / "link");
  write_atomically(folder / "link", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(read_file(folder / "real"), "new");
}

TEST(AtomicFile, ReadOnlyFolder) {
  const Folder folder;
  const auto file = folder / "a";
  write_file(file, "old");
  ::chmod(folder.path().c_str(), 0555);
  {
    const Unprivileged nobody;
    EXPECT_THAT(message_of<IoError>([&] { write_atomically(file, "new"); }),
                AllOf(HasSubstr(file.string()), HasSubstr("Permission denied")));
  }
  ::chmod(folder.path().c_str(), 0755);
  EXPECT_EQ(read_file(file), "old");
  EXPECT_EQ(entries(folder.path()), 1u);
}

// Every place at which the room can end: in the length, the header, the data.
TEST(AtomicFile, SafetensorsWhereTheRoomEnds) {
  const Folder folder;
  const auto file = folder / "weights.safetensors";
  const auto tensor = [](double value) {
    return std::vector<NamedTensor>{{"w", Tensor::full({100}, value, engine::DType::float32)}};
  };
  write_safetensors(file, tensor(1));
  const std::string old = read_file(file);
  for (std::size_t limit = 0; limit < old.size(); limit += limit < 16 ? 1 : 13) {
    {
      const FileSizeLimit full(limit);
      EXPECT_THAT(message_of<IoError>([&] { write_safetensors(file, tensor(2)); }),
                  AllOf(HasSubstr(file.string()), HasSubstr("File too large")));
    }
    ASSERT_EQ(read_file(file), old) << limit;
    ASSERT_EQ(entries(folder.path()), 1u) << limit;
  }
  const FileSizeLimit enough(old.size());
  write_safetensors(file, tensor(2));
  EXPECT_EQ(read_safetensors(file).find("w")->to_doubles()[99], 2);
}

// The same on disks that are really full, of 64 sizes, where this user may mount them.
TEST(AtomicFile, SafetensorsOnFullDisks) {
  const Folder folder;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto tensor = [&](double value) {
    return std::vector<NamedTensor>{
        {"w", Tensor::full({static_cast<std::int64_t>(16 * page)}, value, engine::DType::float32)}};
  };
  int refused = 0;
  for (std::size_t pages = 66; pages < 66 + 64; ++pages) {
    const std::string options = "size=" + std::to_string(pages * page);
    if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, options.c_str()) != 0) {
      GTEST_SKIP() << "mounting a tmpfs needs root";
    }
    const auto file = folder / "weights.safetensors";
    write_safetensors(file, tensor(1));
    const std::string old = read_file(file);
    try {
      write_safetensors(file, tensor(2));
    } catch (const IoError& error) {
      EXPECT_THAT(error.what(), AllOf(HasSubstr(file.string()), HasSubstr("No space left on device")));
      EXPECT_EQ(read_file(file), old);
      ++refused;
    }
    EXPECT_EQ(entries(folder.path()), 1u);
    EXPECT_NO_THROW(read_safetensors(file));
    ::umount(folder.path().c_str());
  }
  EXPECT_GT(refused, 32);
}

}  // namespace
}  // namespace roentgen::model

#include <fmt/core.h>

#include <stdexcept>

#include "data/error.h"
#include "data/file.h"
#include "data/parallel.h"
#include "data/phantom.h"

namespace roentgen::data {
namespace {

namespace fs = std::filesystem;

void make_folder(const fs::path& folder, bool exist_ok) {
  std::error_code error;
  fs::create_directories(folder, error);
  const bool empty = !error && fs::is_empty(folder, error);
  if (error)
    throw IoError(fmt::format("cannot make the folder '{}': {}", printable(folder), error.message()));
  if (!empty && !exist_ok) {
    throw IoError(fmt::format("'{}' already holds files; choose a new folder, or overwrite with --exist-ok",
                              printable(folder)));
  }
}

}  // namespace

void write_phantoms(const fs::path& dir, const PhantomOptions& options) {
  if (options.train_per_class < 0 || options.test_per_class < 0 || options.size < 32 || options.size > 4096) {
    throw std::invalid_argument(fmt::format("write_phantoms: {} + {} images of size {}",
                                            options.train_per_class, options.test_per_class, options.size));
  }
  // The test images' numbers begin where no training set reaches, so neither count changes the other's
  // images.
  struct Part {
    const char* name;
    int count;
    std::uint32_t first;
  };
  for (const Part part :
       {Part{"train", options.train_per_class, 0}, Part{"test", options.test_per_class, 1u << 31}}) {
    if (part.count == 0) continue;
    for (const std::string& name : phantom_classes) make_folder(dir / part.name / name, options.exist_ok);
  }
  const std::int64_t classes = phantom_classes.size(), train = options.train_per_class * classes;
  const std::int64_t total = train + options.test_per_class * classes;
  parallel_for(
      total, options.workers,
      [&](std::int64_t i) {
        const bool is_train = i < train;
        const std::int64_t in_part = is_train ? i : i - train, number = in_part / classes;
        const auto kind = static_cast<PhantomKind>(in_part % classes);
        const std::uint32_t index = (is_train ? 0 : 1u << 31) + static_cast<std::uint32_t>(number);
        const fs::path folder =
            dir / (is_train ? "train" : "test") / phantom_classes[static_cast<std::size_t>(kind)];
        write_png(folder / fmt::format("{:04}.png", number),
                  phantom(kind, options.size, options.seed, index));
      },
      options.progress);
}

}  // namespace roentgen::data

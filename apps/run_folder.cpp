#include "apps/run_folder.h"

#include <fmt/format.h>

#include "apps/console.h"
#include "apps/errors.h"
#include "model/atomic_file.h"
#include "model/error.h"

namespace roentgen::apps {

namespace fs = std::filesystem;

void RunFolder::require_new() const {
  std::error_code error;
  if (!fs::exists(path, error)) return;
  if (fs::is_directory(path, error) && fs::is_empty(path, error)) return;
  throw UsageError(fmt::format(
      "'{}' already holds files; choose another --output, go on with --resume, or overwrite with --exist-ok",
      path.string()));
}

void RunFolder::require_room(std::uint64_t bytes) const {
  std::error_code error;
  fs::create_directories(path, error);
  if (error || !fs::is_directory(path)) {
    throw model::IoError(fmt::format("cannot make the folder '{}': {}", path.string(),
                                     error ? error.message() : "a file is in its place"));
  }
  // A rename and both flushes included, so that what a checkpoint needs is known to work here.
  const fs::path probe = path / ".writable";
  model::AtomicFile file(probe);
  file.write("x");
  file.commit();
  fs::remove(probe, error);
  const fs::space_info space = fs::space(path, error);
  if (!error && space.available < bytes) {
    throw model::IoError(fmt::format(
        "not enough room for the checkpoints in '{}': {} are free, the run needs {}; free some or choose "
        "another --output",
        path.string(), format_bytes(static_cast<double>(space.available)),
        format_bytes(static_cast<double>(bytes))));
  }
}

void RunFolder::clear() const {
  for (const fs::path& file : {last(), best(), metrics(), steps(), arguments()}) fs::remove(file);
}

void RunFolder::continue_from(const RunFolder& other) const {
  std::error_code error;
  if (fs::equivalent(path, other.path, error)) return;
  clear();
  const auto take = [](const fs::path& from, const fs::path& to) {
    if (fs::exists(from)) fs::copy_file(from, to, fs::copy_options::overwrite_existing);
  };
  take(other.metrics(), metrics());
  take(other.steps(), steps());
  take(other.best(), best());
}

void RunFolder::write_arguments(const nlohmann::ordered_json& values) const {
  model::AtomicFile file(arguments());
  file.write(values.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  file.commit();
}

}  // namespace roentgen::apps

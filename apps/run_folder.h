// The folder that a training run leaves its files in.
#pragma once

#include <cstdint>
#include <filesystem>

#include <nlohmann/json.hpp>

namespace roentgen::apps {

struct RunFolder {
  std::filesystem::path path;

  std::filesystem::path last() const { return path / "last.safetensors"; }
  std::filesystem::path best() const { return path / "best.safetensors"; }
  std::filesystem::path metrics() const { return path / "metrics.csv"; }
  std::filesystem::path steps() const { return path / "steps.csv"; }
  std::filesystem::path arguments() const { return path / "args.json"; }

  // Throws UsageError if something is there already.
  void require_new() const;
  // Makes the folder and sees that `bytes` more can be written to it. Throws model::IoError.
  void require_room(std::uint64_t bytes) const;
  // Removes the files of the run before, so that none of them is taken for one of the new run.
  void clear() const;
  // Takes over curves and best checkpoint of the run that is gone on with elsewhere.
  void continue_from(const RunFolder& other) const;
  void write_arguments(const nlohmann::ordered_json& arguments) const;
};

}  // namespace roentgen::apps

#include "apps/resume.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <fstream>

#include "apps/errors.h"
#include "data/error.h"

namespace roentgen::apps {

namespace fs = std::filesystem;

namespace {

// The checkpoint file, or nothing for a new run.
std::optional<fs::path> checkpoint_file(const TrainArgs& args) {
  if (args.resume.empty()) return std::nullopt;
  if (args.resume == "last" || args.resume == "auto") {
    if (args.output.empty() && args.name.empty()) {
      throw UsageError("--resume without a path needs --output, the folder of the run to go on with");
    }
    const fs::path file = output_folder(args, std::nullopt).last();
    if (args.resume == "auto" && !fs::exists(file)) return std::nullopt;
    return file;
  }
  std::error_code error;  // of a path that may not be looked at; to read it will fail and say why
  return fs::is_directory(args.resume, error) ? RunFolder{args.resume}.last() : fs::path(args.resume);
}

// Options that checkpoints do not keep, from the args.json beside it, if there is one.
nlohmann::json passing_options(const RunFolder& folder) {
  std::ifstream file(folder.arguments());
  const auto json = nlohmann::json::parse(file, nullptr, false);
  nlohmann::json values = nlohmann::json::object();
  if (!json.is_object() || !json.contains("arguments") || !json["arguments"].is_object()) return values;
  for (const char* key : {"data", "threads", "workers", "memory_budget", "save_every"}) {
    if (json["arguments"].contains(key)) values[key] = json["arguments"][key];
  }
  return values;
}

}  // namespace

std::optional<ResumePoint> find_resume_point(TrainArgs& args, Options& options) {
  const auto file = checkpoint_file(args);
  if (!file) return std::nullopt;
  auto checkpoint = model::Checkpoint::load(*file);
  const model::CheckpointInfo& info = checkpoint.info();
  if (!checkpoint.has_optimizer() || !info.arguments.contains("options")) {
    throw model::CheckpointError(fmt::format(
        "cannot go on from '{}': it holds weights only; use the run's last.safetensors, or start a new run "
        "from these weights with --init",
        file->string()));
  }
  auto state = model::train_state_from_json(info.metrics);
  check_resumed_options(options, info.arguments["options"]);
  RunFolder folder{file->parent_path().empty() ? fs::path(".") : file->parent_path()};
  try {
    options.set_missing(info.arguments["options"]);
  } catch (const CLI::Error& error) {
    throw model::CheckpointError(
        fmt::format("cannot go on from '{}': its options are not valid: {}", file->string(), error.what()));
  }
  try {
    options.set_missing(passing_options(folder));
  } catch (const CLI::Error& error) {
    throw UsageError(fmt::format("in '{}': {}", folder.arguments().string(), error.what()));
  }
  return ResumePoint{std::move(folder), std::move(checkpoint), std::move(state)};
}

RunFolder output_folder(const TrainArgs& args, const std::optional<ResumePoint>& resumed) {
  if (!args.output.empty()) return {args.output};
  if (!args.name.empty()) return {fs::path("runs") / args.name};
  if (resumed) return resumed->folder;
  return {fs::path("runs") / fmt::format("{:%Y%m%d-%H%M%S}", fmt::localtime(std::time(nullptr)))};
}

void require_same_data(const ResumePoint& resumed, const nlohmann::json& data) {
  const nlohmann::json& arguments = resumed.checkpoint.info().arguments;
  const auto known = arguments.find("data");
  if (known != arguments.end() && known->contains("hash") && known->at("hash") == data["hash"]) return;
  throw data::DataError(
      fmt::format("the training images are not those that the run in '{}' began with; give their folder with "
                  "--data, or start a new run from its weights with --init",
                  resumed.folder.path.string()));
}

}  // namespace roentgen::apps

// Which checkpoint a run goes on from.
#pragma once

#include <filesystem>
#include <optional>

#include "apps/run_folder.h"
#include "apps/train_options.h"
#include "model/checkpoint.h"

namespace roentgen::apps {

struct ResumePoint {
  RunFolder folder;  // that the checkpoint lies in
  model::Checkpoint checkpoint;
  model::TrainState state;
};

// Loads what --resume names and fills the options that were not given with those of the run; nothing where a
// new run begins. Throws UsageError, model::IoError, model::CheckpointError.
std::optional<ResumePoint> find_resume_point(TrainArgs& args, Options& options);

// Where the run goes: --output, else the folder resumed from, else runs/NAME.
RunFolder output_folder(const TrainArgs& args, const std::optional<ResumePoint>& resumed);

// Throws data::DataError unless `data` (data_record's) is what the checkpoint was trained with.
void require_same_data(const ResumePoint& resumed, const nlohmann::json& data);

}  // namespace roentgen::apps

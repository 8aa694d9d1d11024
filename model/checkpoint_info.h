// CheckpointInfo and the rest of a checkpoint's metadata as JSON.
#pragma once

#include "model/checkpoint.h"

namespace roentgen::model {

inline constexpr const char* checkpoint_key = "roentgen.checkpoint";
inline constexpr std::string_view optimizer_prefix = "optimizer.";
inline constexpr int checkpoint_format = 1;

struct OptimizerInfo {
  std::string kind;  // empty where none was saved
  std::int64_t steps = 0;
};

nlohmann::json to_json(const CheckpointInfo& info);
// Throws std::invalid_argument naming what is missing or makes no sense.
CheckpointInfo info_from_json(const nlohmann::json& json);
OptimizerInfo optimizer_from_json(const nlohmann::json& json);

}  // namespace roentgen::model

// Where a training run stands: all that a resume needs beside weights and optimiser.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/metrics.h"

namespace roentgen::model {

// What an epoch came to. Only numbers that the same run repeats bit for bit; its timing is EpochTiming.
struct EpochMetrics {
  double loss = 0, accuracy = 0;
  std::optional<double> val_loss, val_accuracy;
  double lr = 0;  // of the epoch's last step

  bool operator==(const EpochMetrics&) const = default;
};

struct EpochTiming {
  double seconds = 0;  // validation included; of a resumed epoch, the part since then
  double images_per_second = 0;
  double wait_seconds = 0;  // of `seconds`, spent waiting for data
  std::uint64_t peak_bytes = 0;
};

struct TrainState {
  std::int64_t step = 0;              // optimiser steps done
  std::int64_t batch = 0;             // batches done of the epoch at hand
  RunningMetrics running;             // over those
  std::vector<EpochMetrics> history;  // of the finished epochs

  std::int64_t epoch() const { return static_cast<std::int64_t>(history.size()); }  // finished epochs
};

nlohmann::json to_json(const TrainState& state);
// Throws CheckpointError for JSON that is none of to_json's.
TrainState train_state_from_json(const nlohmann::json& json);

enum class Monitor { val_loss, val_accuracy };
std::string_view to_string(Monitor monitor);

// Index of the best epoch, the first among equals; nothing where no epoch was validated.
std::optional<std::size_t> best_epoch(const std::vector<EpochMetrics>& history, Monitor monitor);

}  // namespace roentgen::model

#include "model/history.h"

#include <fmt/format.h>

#include "model/error.h"

namespace roentgen::model {

namespace {

using nlohmann::json;

json optional_json(const std::optional<double>& value) {
  return value ? json(*value) : json();
}

std::optional<double> optional_double(const json& value) {
  if (value.is_null()) return std::nullopt;
  return value.get<double>();
}

}  // namespace

json to_json(const TrainState& state) {
  json history = json::array();
  for (const EpochMetrics& m : state.history) {
    history.push_back({{"loss", m.loss},
                       {"accuracy", m.accuracy},
                       {"val_loss", optional_json(m.val_loss)},
                       {"val_accuracy", optional_json(m.val_accuracy)},
                       {"lr", m.lr}});
  }
  return {{"step", state.step},
          {"batch", state.batch},
          {"running",
           {{"loss_sum", state.running.loss_sum},
            {"correct", state.running.correct},
            {"samples", state.running.samples}}},
          {"history", std::move(history)}};
}

TrainState train_state_from_json(const json& value) {
  try {
    TrainState state;
    state.step = value.at("step").get<std::int64_t>();
    state.batch = value.at("batch").get<std::int64_t>();
    const json& running = value.at("running");
    state.running = {running.at("loss_sum").get<double>(), running.at("correct").get<std::int64_t>(),
                     running.at("samples").get<std::int64_t>()};
    for (const json& m : value.at("history")) {
      state.history.push_back({m.at("loss").get<double>(), m.at("accuracy").get<double>(),
                               optional_double(m.at("val_loss")), optional_double(m.at("val_accuracy")),
                               m.at("lr").get<double>()});
    }
    if (state.step < 0 || state.batch < 0) throw CheckpointError("negative step");
    return state;
  } catch (const std::exception& error) {
    throw CheckpointError(
        fmt::format("the checkpoint's record of the training is damaged: {}", error.what()));
  }
}

std::string_view to_string(Monitor monitor) {
  return monitor == Monitor::val_loss ? "val_loss" : "val_accuracy";
}

std::optional<std::size_t> best_epoch(const std::vector<EpochMetrics>& history, Monitor monitor) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const EpochMetrics& m = history[i];
    if (!m.val_loss || !m.val_accuracy) continue;
    const bool better =
        !best || (monitor == Monitor::val_loss ? *m.val_loss < *history[*best].val_loss
                                               : *m.val_accuracy > *history[*best].val_accuracy);
    if (better) best = i;
  }
  return best;
}

}  // namespace roentgen::model

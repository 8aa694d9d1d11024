#include "model/callbacks.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

namespace roentgen::model {

EarlyStopping::EarlyStopping(std::int64_t patience, Monitor monitor)
    : patience_(patience), monitor_(monitor) {
  if (patience < 1) throw std::invalid_argument(fmt::format("EarlyStopping: a patience of {}", patience));
}

bool EarlyStopping::has_enough(const TrainState& state) {
  const auto best = best_epoch(state.history, monitor_);
  return best && state.epoch() - 1 - static_cast<std::int64_t>(*best) >= patience_;
}

CheckpointSaver::CheckpointSaver(Save save_last, Save save_best, Monitor monitor, std::int64_t save_every)
    : save_last_(std::move(save_last)),
      save_best_(std::move(save_best)),
      monitor_(monitor),
      save_every_(save_every) {}

void CheckpointSaver::on_step(const StepReport& report, const TrainState& state) {
  // The epoch's end saves its last step.
  if (save_every_ > 0 && state.step % save_every_ == 0 && report.batch < report.batches) save_last_(state);
}

void CheckpointSaver::on_epoch(const EpochTiming&, const TrainState& state) {
  const auto best = best_epoch(state.history, monitor_);
  if (best && static_cast<std::int64_t>(*best) == state.epoch() - 1) save_best_(state);
  save_last_(state);
}

void CheckpointSaver::on_interrupt(const TrainState& state) {
  save_last_(state);
}

}  // namespace roentgen::model

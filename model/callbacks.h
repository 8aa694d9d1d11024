// What listens to a training run.
#pragma once

#include <cstdint>
#include <functional>

#include "model/history.h"

namespace roentgen::model {

struct StepReport {
  std::int64_t epoch = 0;               // from 0
  std::int64_t batch = 0, batches = 0;  // batches done of the epoch, and its number of them
  std::int64_t samples = 0;             // of this batch
  double loss = 0, accuracy = 0;        // of this batch
  double lr = 0;
};

// Called in the order they are given to fit(). `state` already counts the step or epoch that is reported.
class Callback {
 public:
  virtual ~Callback() = default;
  virtual void on_begin(const TrainState& /*state*/) {}
  virtual void on_step(const StepReport& /*report*/, const TrainState& /*state*/) {}
  virtual void on_epoch(const EpochTiming& /*timing*/, const TrainState& /*state*/) {}
  // A signal asked to stop; the state may lie within an epoch.
  virtual void on_interrupt(const TrainState& /*state*/) {}
  // Asked before every epoch: true ends the training.
  virtual bool has_enough(const TrainState& /*state*/) { return false; }
};

// Ends the training when the monitored value was not bettered for `patience` epochs. Keeps nothing: the
// history says it all, so a resumed run stops where the uninterrupted one would.
class EarlyStopping : public Callback {
 public:
  // Throws std::invalid_argument for a patience below 1.
  EarlyStopping(std::int64_t patience, Monitor monitor);
  bool has_enough(const TrainState& state) override;

 private:
  std::int64_t patience_;
  Monitor monitor_;
};

// Has the last state saved after every epoch, every `save_every` steps (0: never) and on a signal, and the
// best one after each epoch that is the best so far.
class CheckpointSaver : public Callback {
 public:
  using Save = std::function<void(const TrainState&)>;
  CheckpointSaver(Save save_last, Save save_best, Monitor monitor, std::int64_t save_every = 0);

  void on_step(const StepReport& report, const TrainState& state) override;
  void on_epoch(const EpochTiming& timing, const TrainState& state) override;
  void on_interrupt(const TrainState& state) override;

 private:
  Save save_last_, save_best_;
  Monitor monitor_;
  std::int64_t save_every_;
};

}  // namespace roentgen::model

// The line that shows how the training goes.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

#include "model/callbacks.h"

namespace roentgen::model {

// "Epoch 3/20  11/16  loss 0.412  acc 84.1%  512 img/s  ETA 00:41". On a terminal one line per epoch that is
// redrawn; elsewhere a plain line per epoch, and one every half a minute of a long one. At an epoch's end it
// also has the validation and the time lost waiting for data. ETA is that of the whole training.
class Progress : public Callback {
 public:
  // `color`: the epoch in bold, on terminals only.
  Progress(std::FILE* out, std::int64_t epochs, bool terminal, bool color = false);

  ~Progress() override;  // ends a line that is being redrawn
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void on_begin(const TrainState& state) override;
  void on_step(const StepReport& report, const TrainState& state) override;
  void on_epoch(const EpochTiming& timing, const TrainState& state) override;

 private:
  using Clock = std::chrono::steady_clock;
  std::string head(std::int64_t epoch) const;
  std::string eta(std::int64_t steps_left) const;
  void show(const std::string& line, bool last);

  std::FILE* out_;
  std::int64_t epochs_;
  bool terminal_, color_;
  Clock::time_point begin_, epoch_begin_, shown_;
  std::int64_t steps_ = 0;                // of this run
  std::int64_t epoch_samples_ = 0;        // of this epoch in this run
  std::int64_t batch_ = 0, batches_ = 0;  // of the last report
  std::size_t drawn_ = 0;                 // characters on the line that is being redrawn
};

// "00:41", "1:02:03".
std::string format_duration(double seconds);

}  // namespace roentgen::model

// The training's curves as files: one row per epoch, one per step.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "model/callbacks.h"

namespace roentgen::model {

// metrics:
// epoch,loss,accuracy,val_loss,val_accuracy,lr,seconds,images_per_second,wait_seconds,peak_memory_mb. steps:
// step,epoch,loss,accuracy,lr. Steps and epochs count from 1; val_* are empty without validation. Every row
// is with the system when the callback returns. A run that goes on keeps the rows its state accounts for,
// cuts off what came after and appends. Throws IoError.
class CsvLog : public Callback {
 public:
  // `digits` significant digits: 9 tell floats apart, 17 doubles.
  CsvLog(std::filesystem::path metrics, std::filesystem::path steps, int digits);

  void on_begin(const TrainState& state) override;
  void on_step(const StepReport& report, const TrainState& state) override;
  void on_epoch(const EpochTiming& timing, const TrainState& state) override;

 private:
  class File {
   public:
    // Opens to append behind the header and `rows` rows; a file without them starts anew.
    File(std::filesystem::path path, const std::string& header, std::int64_t rows);
    void write(const std::string& row);

   private:
    std::filesystem::path path_;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  };

  std::string number(double value) const;

  std::filesystem::path metrics_path_, steps_path_;
  int digits_;
  std::unique_ptr<File> metrics_, steps_;
};

}  // namespace roentgen::model

#include "model/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace roentgen::model {

std::string format_duration(double seconds) {
  const auto s = static_cast<std::int64_t>(std::lround(std::max(0.0, seconds)));
  if (s < 3600) return fmt::format("{:02}:{:02}", s / 60, s % 60);
  return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

Progress::Progress(std::FILE* out, std::int64_t epochs, bool terminal, bool color)
    : out_(out), epochs_(epochs), terminal_(terminal), color_(terminal && color) {}

Progress::~Progress() {
  if (drawn_ > 0) std::fputs("\n", out_);
}

void Progress::on_begin(const TrainState&) {
  begin_ = epoch_begin_ = shown_ = Clock::now();
}

std::string Progress::head(std::int64_t epoch) const {
  const std::string text = fmt::format("Epoch {}/{}", epoch, epochs_);
  return fmt::format("{}  {}/{}", color_ ? fmt::format("\x1b[1m{}\x1b[0m", text) : text, batch_, batches_);
}

std::string Progress::eta(std::int64_t steps_left) const {
  const double elapsed = std::chrono::duration<double>(Clock::now() - begin_).count();
  return format_duration(elapsed / static_cast<double>(std::max<std::int64_t>(1, steps_)) *
                         static_cast<double>(steps_left));
}

void Progress::show(const std::string& line, bool last) {
  const std::size_t blanks = line.size() < drawn_ ? drawn_ - line.size() : 0;
  drawn_ = last || !terminal_ ? 0 : line.size();
  const std::string text = fmt::format("{}{}{:{}}{}", terminal_ ? "\r" : "", line, "", blanks,
                                       last || !terminal_ ? "\n" : "");
  std::fputs(text.c_str(), out_);
  std::fflush(out_);
  shown_ = Clock::now();
}

void Progress::on_step(const StepReport& report, const TrainState& state) {
  ++steps_;
  epoch_samples_ += report.samples;
  batch_ = report.batch;
  batches_ = report.batches;
  const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(30000);
  if (Clock::now() - shown_ < pause) return;
  const double seconds = std::chrono::duration<double>(Clock::now() - epoch_begin_).count();
  show(fmt::format("{}  loss {:.3f}  acc {:.1f}%  {:.0f} img/s  ETA {}", head(report.epoch + 1),
                   state.running.loss(), 100 * state.running.accuracy(),
                   static_cast<double>(epoch_samples_) / seconds,
                   eta((epochs_ - report.epoch) * batches_ - batch_)),
       false);
}

void Progress::on_epoch(const EpochTiming& timing, const TrainState& state) {
  const EpochMetrics& m = state.history.back();
  std::string line =
      fmt::format("{}  loss {:.3f}  acc {:.1f}%", head(state.epoch()), m.loss, 100 * m.accuracy);
  if (m.val_loss) line += fmt::format("  val_loss {:.3f}", *m.val_loss);
  if (m.val_accuracy) line += fmt::format("  val_acc {:.1f}%", 100 * *m.val_accuracy);
  line += fmt::format("  {:.0f} img/s  wait {:.1f} s  ETA {}", timing.images_per_second, timing.wait_seconds,
                      eta((epochs_ - state.epoch()) * batches_));
  show(line, true);
  epoch_samples_ = 0;
  epoch_begin_ = Clock::now();
}

}  // namespace roentgen::model

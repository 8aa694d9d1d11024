#include "model/csv_log.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "model/error.h"

namespace roentgen::model {

namespace {

constexpr const char* metrics_header =
    "epoch,loss,accuracy,val_loss,val_accuracy,lr,seconds,images_per_second,wait_seconds,peak_memory_mb";
constexpr const char* steps_header = "step,epoch,loss,accuracy,lr";

[[noreturn]] void fail(const char* what, const std::filesystem::path& path, int error) {
  throw IoError(fmt::format("cannot {} '{}': {}", what, path.string(), std::strerror(error)));
}

// Where, in bytes, the header and `rows` whole rows end; less if the file has fewer, 0 for another header.
std::uintmax_t end_of_rows(const std::filesystem::path& path, const std::string& header, std::int64_t rows) {
  std::ifstream file(path, std::ios::binary);
  std::string line;
  std::uintmax_t end = 0;
  for (std::int64_t i = 0; i <= rows && std::getline(file, line) && !file.eof(); ++i) {
    if (i == 0 && line != header) return 0;
    end += line.size() + 1;
  }
  return end;
}

}  // namespace

CsvLog::File::File(std::filesystem::path path, const std::string& header, std::int64_t rows)
    : path_(std::move(path)), file_(nullptr, &std::fclose) {
  const std::uintmax_t keep = rows > 0 ? end_of_rows(path_, header, rows) : 0;
  file_.reset(std::fopen(path_.c_str(), keep > 0 ? "ab" : "wb"));
  if (!file_) fail("write", path_, errno);
  if (keep == 0) {
    write(header);
  } else {
    std::error_code error;
    std::filesystem::resize_file(path_, keep, error);
    if (error) fail("shorten", path_, error.value());
  }
}

void CsvLog::File::write(const std::string& row) {
  errno = 0;
  if (std::fputs((row + "\n").c_str(), file_.get()) < 0 || std::fflush(file_.get()) != 0) {
    fail("write", path_, errno);
  }
}

CsvLog::CsvLog(std::filesystem::path metrics, std::filesystem::path steps, int digits)
    : metrics_path_(std::move(metrics)), steps_path_(std::move(steps)), digits_(digits) {}

void CsvLog::on_begin(const TrainState& state) {
  metrics_ = std::make_unique<File>(metrics_path_, metrics_header, state.epoch());
  steps_ = std::make_unique<File>(steps_path_, steps_header, state.step);
}

std::string CsvLog::number(double value) const {
  return fmt::format("{:.{}g}", value, digits_);
}

void CsvLog::on_step(const StepReport& report, const TrainState& state) {
  steps_->write(fmt::format("{},{},{},{},{}", state.step, report.epoch + 1, number(report.loss),
                            number(report.accuracy), number(report.lr)));
}

void CsvLog::on_epoch(const EpochTiming& timing, const TrainState& state) {
  const EpochMetrics& m = state.history.back();
  metrics_->write(fmt::format("{},{},{},{},{},{},{:.3f},{:.1f},{:.3f},{:.1f}", state.epoch(), number(m.loss),
                              number(m.accuracy), m.val_loss ? number(*m.val_loss) : "",
                              m.val_accuracy ? number(*m.val_accuracy) : "", number(m.lr), timing.seconds,
                              timing.images_per_second, timing.wait_seconds,
                              static_cast<double>(timing.peak_bytes) / (1 << 20)));
}

}  // namespace roentgen::model

#include <gmock/gmock.h>

#include <cstdio>
#include <memory>

#include "model/callbacks.h"
#include "model/csv_log.h"
#include "model/error.h"
#include "model/progress.h"
#include "tests/model/support.h"

namespace roentgen::model {
namespace {

using test::Folder;
using test::message_of;
using test::read_file;
using test::write_file;
using testing::HasSubstr;

EpochMetrics validated(double val_loss, double val_accuracy) {
  EpochMetrics m;
  m.val_loss = val_loss;
  m.val_accuracy = val_accuracy;
  return m;
}

TEST(TrainerHistory, BestEpochIsTheFirstAmongEquals) {
  const std::vector<EpochMetrics> history = {validated(3, .5), validated(1, .6), validated(1, .7),
                                             validated(2, .7)};
  EXPECT_EQ(best_epoch(history, Monitor::val_loss), 1u);
  EXPECT_EQ(best_epoch(history, Monitor::val_accuracy), 2u);
  EXPECT_FALSE(best_epoch({EpochMetrics{}}, Monitor::val_loss));
}

TEST(TrainerHistory, StateSurvivesJson) {
  TrainState state;
  state.step = 7;
  state.batch = 2;
  state.running.add(1.0 / 3, 5, 9);
  EpochMetrics m;
  m.loss = 0.1 + 0.2;  // needs all digits
  m.accuracy = 2.0 / 3;
  m.lr = 1e-3;
  state.history = {m, validated(1.0 / 7, 0.5)};
  const TrainState back = train_state_from_json(nlohmann::json::parse(to_json(state).dump()));
  EXPECT_EQ(back.step, 7);
  EXPECT_EQ(back.batch, 2);
  EXPECT_EQ(back.running.loss_sum, state.running.loss_sum);
  EXPECT_EQ(back.running.correct, 5);
  EXPECT_EQ(back.history, state.history);
}

TEST(TrainerHistory, DamagedStateIsRefused) {
  EXPECT_THROW(train_state_from_json(nlohmann::json::object()), CheckpointError);
  nlohmann::json json = to_json(TrainState{});
  json["step"] = -1;
  EXPECT_THROW(train_state_from_json(json), CheckpointError);
  json["step"] = "many";
  EXPECT_THROW(train_state_from_json(json), CheckpointError);
}

TEST(TrainerCallbacks, EarlyStoppingCountsFromTheBest) {
  EarlyStopping early(2, Monitor::val_accuracy);
  TrainState state;
  EXPECT_FALSE(early.has_enough(state));
  for (const double accuracy : {.5, .6, .6}) {
    state.history.push_back(validated(1, accuracy));
    EXPECT_FALSE(early.has_enough(state));
  }
  state.history.push_back(validated(0, .4));
  EXPECT_TRUE(early.has_enough(state));
  EXPECT_THROW(EarlyStopping(0, Monitor::val_loss), std::invalid_argument);
}

TEST(TrainerCallbacks, SaverSavesBestBeforeLast) {
  std::string order;
  CheckpointSaver saver([&](const TrainState&) { order += 'l'; }, [&](const TrainState&) { order += 'b'; },
                        Monitor::val_loss, 3);
  TrainState state;
  state.history = {validated(2, .5)};
  saver.on_epoch({}, state);
  state.history.push_back(validated(3, .9));
  saver.on_epoch({}, state);
  EXPECT_EQ(order, "bll");
  state.step = 3;
  saver.on_step({.batch = 3, .batches = 4}, state);
  EXPECT_EQ(order, "blll");
  saver.on_step({.batch = 4, .batches = 4}, state);  // the epoch's end saves it anyway
  state.step = 4;
  saver.on_step({.batch = 1, .batches = 4}, state);
  EXPECT_EQ(order, "blll");
  saver.on_interrupt(state);
  EXPECT_EQ(order, "bllll");
}

TEST(TrainerCsvLog, WritesRowsAndGoesOnBehindThem) {
  const Folder folder;
  const auto metrics = folder / "metrics.csv", steps = folder / "steps.csv";
  TrainState state;
  {
    CsvLog log(metrics, steps, 9);
    log.on_begin(state);
    for (state.step = 1; state.step <= 3; ++state.step) {
      log.on_step({.epoch = 0, .batch = state.step, .loss = 1.0 / 3, .accuracy = 0.5, .lr = 1e-3}, state);
    }
    state.step = 3;
    EpochMetrics m;
    m.loss = 0.25;
    m.accuracy = 0.75;
    m.lr = 1e-3;
    state.history = {m};
    log.on_epoch({.seconds = 1.5, .images_per_second = 20, .wait_seconds = 0.25, .peak_bytes = 3 << 20},
                 state);
  }
  const std::string steps_text =
      "step,epoch,loss,accuracy,lr\n1,1,0.333333333,0.5,0.001\n2,1,0.333333333,0.5,0.001\n"
      "3,1,0.333333333,0.5,0.001\n";
  EXPECT_EQ(read_file(steps), steps_text);
  EXPECT_EQ(read_file(metrics),
            "epoch,loss,accuracy,val_loss,val_accuracy,lr,seconds,images_per_second,wait_seconds,"
            "peak_memory_mb\n1,0.25,0.75,,,0.001,1.500,20.0,0.250,3.0\n");

  // A run that was killed left a row more and half another; its checkpoint is of step 2, epoch 0.
  write_file(steps, steps_text + "4,2,0.3");
  state.history.clear();
  state.step = 2;
  CsvLog log(metrics, steps, 17);
  log.on_begin(state);
  state.step = 3;
  log.on_step({.epoch = 0, .loss = 0.1, .accuracy = 1, .lr = 1e-3}, state);
  EXPECT_EQ(read_file(steps),
            "step,epoch,loss,accuracy,lr\n1,1,0.333333333,0.5,0.001\n2,1,0.333333333,0.5,0.001\n"
            "3,1,0.10000000000000001,1,0.001\n");
  EXPECT_EQ(read_file(metrics).find('\n'), read_file(metrics).size() - 1);  // the header only
}

TEST(TrainerCsvLog, AFileOfAnotherKindStartsAnew) {
  const Folder folder;
  write_file(folder / "steps.csv", "something\nelse\n");
  CsvLog log(folder / "metrics.csv", folder / "steps.csv", 9);
  TrainState state;
  state.step = 1;
  log.on_begin(state);
  EXPECT_EQ(read_file(folder / "steps.csv"), "step,epoch,loss,accuracy,lr\n");
}

TEST(TrainerCsvLog, AFullDiskIsAnIoErrorNamingTheFile) {
  const Folder folder;
  CsvLog log("/dev/full", folder / "steps.csv", 9);
  const std::string message = message_of<IoError>([&] { log.on_begin({}); });
  EXPECT_THAT(message, HasSubstr("/dev/full"));
  EXPECT_THAT(message, HasSubstr("No space left"));
}

class ProgressText : public testing::Test {
 protected:
  ProgressText() : file_(std::tmpfile(), &std::fclose) {
    state_.running.add(0.412, 12, 16);
    epoch_.loss = 0.5;
    epoch_.accuracy = 0.841;
  }
  std::string text() {
    std::fflush(file_.get());
    std::rewind(file_.get());
    std::string text(4096, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file_.get()));
    return text;
  }

  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  TrainState state_;
  EpochMetrics epoch_;
};

TEST_F(ProgressText, PlainLinesElsewhere) {
  Progress progress(file_.get(), 20, false, true);
  progress.on_begin(state_);
  progress.on_step({.epoch = 0, .batch = 1, .batches = 2, .samples = 16}, state_);
  epoch_.val_loss = 0.75;
  epoch_.val_accuracy = 0.5;
  state_.history = {epoch_};
  progress.on_epoch({.images_per_second = 512, .wait_seconds = 0.31}, state_);
  EXPECT_THAT(text(), testing::MatchesRegex("Epoch 1/20  1/2  loss 0.500  acc 84.1%  val_loss 0.750  val_acc "
                                            "50.0%  512 img/s  wait 0.3 s  ETA [0-9:]+\n"));
}

TEST_F(ProgressText, OneLineIsRedrawnOnATerminal) {
  Progress progress(file_.get(), 20, true);
  progress.on_begin(state_);
  state_.history = {epoch_};
  progress.on_epoch({.images_per_second = 512}, state_);
  EXPECT_THAT(text(), testing::StartsWith("\rEpoch 1/20"));
  EXPECT_THAT(text(), testing::Not(HasSubstr("\x1b")));
}

TEST(TrainerProgress, Durations) {
  EXPECT_EQ(format_duration(41.4), "00:41");
  EXPECT_EQ(format_duration(3599.6), "1:00:00");
  EXPECT_EQ(format_duration(3723), "1:02:03");
  EXPECT_EQ(format_duration(-1), "00:00");
}

}  // namespace
}  // namespace roentgen::model

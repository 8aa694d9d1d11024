#include <gmock/gmock.h>
#include <sys/mount.h>

#include <csignal>
#include <thread>

#include "tests/apps/support.h"

namespace roentgen::apps::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class Train : public ProgramTest {
 protected:
  Train() { make_phantoms(); }

  // Waits until a run has done a few steps.
  void wait_for_steps(const std::string& file, std::size_t count) const {
    for (int i = 0; i < 2000 && lines(file).size() <= count; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ASSERT_GT(lines(file).size(), count);
  }

  // The curves without the columns of time.
  std::vector<std::string> curves(const std::string& run) const {
    std::vector<std::string> all = {read(run + "/steps.csv")};
    for (std::string row : lines(run + "/metrics.csv")) {
      std::size_t end = 0;
      for (int comma = 0; comma < 6; ++comma) end = row.find(',', end) + 1;
      all.push_back(row.substr(0, end));
    }
    return all;
  }

  // All that a run with the same options repeats.
  std::vector<std::string> results(const std::string& run) const {
    std::vector<std::string> all = curves(run);
    all.push_back(read(run + "/last.safetensors"));
    all.push_back(read(run + "/best.safetensors"));
    return all;
  }
};

TEST_F(Train, LeavesItsFiles) {
  const Outcome o = run(small_train({"--output", "run"}));
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(o.err, "");
  EXPECT_THAT(o.out, HasSubstr("Trained 2 epochs, 10 steps"));
  EXPECT_THAT(o.out, HasSubstr("run/best.safetensors"));
  for (const char* file : {"last.safetensors", "best.safetensors", "metrics.csv", "steps.csv", "args.json"}) {
    EXPECT_TRUE(exists(std::string("run/") + file)) << file;
  }

  const auto metrics = lines("run/metrics.csv"), steps = lines("run/steps.csv");
  ASSERT_EQ(metrics.size(), 3u);
  EXPECT_EQ(metrics[0],
            "epoch,loss,accuracy,val_loss,val_accuracy,lr,seconds,images_per_second,wait_seconds,"
            "peak_memory_mb");
  EXPECT_THAT(metrics[2], testing::StartsWith("2,"));
  ASSERT_EQ(steps.size(), 11u);
  EXPECT_EQ(steps[0], "step,epoch,loss,accuracy,lr");
  EXPECT_THAT(steps[10], testing::MatchesRegex("10,2,[0-9.e-]+,[0-9.]+,0.001"));

  const json args = json::parse(read("run/args.json"));
  EXPECT_EQ(args["arguments"]["batch_size"], 4);
  EXPECT_EQ(args["arguments"]["lr"], 0.001);
  EXPECT_EQ(args["arguments"]["filters"], json({4, 8}));
  EXPECT_EQ(args["arguments"]["width_shift"], 0.1);
  EXPECT_EQ(args["classes"], json({"Covid", "Normal", "Viral Pneumonia"}));
  EXPECT_EQ(args["data"]["class_counts"], json({8, 8, 8}));
  EXPECT_EQ(args["data"]["val_images"], 6);
  EXPECT_EQ(args["split"]["train"].size(), 18u);
  EXPECT_EQ(args["split"]["val"].size(), 6u);
  EXPECT_EQ(args["data"]["hash"].get<std::string>().size(), 16u);
  EXPECT_TRUE(args["versions"].contains("roentgen"));
  EXPECT_EQ(args["device"]["precision"], "float32");
}

TEST_F(Train, WithoutValidationThereIsNoBest) {
  const Outcome o = run(small_train({"--output", "run", "--val-split", "0", "--json"}));
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_FALSE(exists("run/best.safetensors"));
  const json result = json::parse(o.out);
  EXPECT_EQ(result["epochs"], 2);
  EXPECT_TRUE(result["best"].is_null());
  EXPECT_TRUE(result["val_loss"].is_null());
  EXPECT_THAT(lines("run/metrics.csv")[1], HasSubstr(",,,"));
}

TEST_F(Train, RepeatsBitForBitAtAnyNumberOfThreadsAndWorkers) {
  ASSERT_EQ(run(small_train({"--output", "a", "--threads", "1", "-j", "1"})).code, 0);
  ASSERT_EQ(run(small_train({"--output", "b", "--threads", "2", "-j", "3"})).code, 0);
  ASSERT_EQ(run(small_train({"--output", "c", "--threads", "4", "--memory-budget", "1kb"})).code, 0);
  EXPECT_TRUE(results("a") == results("b"));
  EXPECT_TRUE(results("a") == results("c"));  // streamed from disk
  ASSERT_EQ(run(small_train({"--output", "d", "--seed", "2"})).code, 0);
  EXPECT_FALSE(results("a") == results("d"));
}

TEST_F(Train, ResumesFromTheMiddleOfAnEpoch) {
  ASSERT_EQ(run(small_train({"--output", "whole", "--epochs", "3"})).code, 0);
  // 5 steps an epoch: the checkpoint of step 7 is what a run that was killed after it leaves.
  const pid_t process = start(small_train({"--output", "part", "--epochs", "3000", "--save-every", "7"}));
  wait_for_steps("part/steps.csv", 9);
  ::kill(process, SIGKILL);
  EXPECT_EQ(finish(process).code, 128 + SIGKILL);
  const Outcome o =
      run({"train", "--resume", "part", "--epochs", "3", "-j", "1", "--threads", "1", "--quiet"});
  if (lines("part/steps.csv").size() > 16) GTEST_SKIP() << "the run was past its third epoch when killed";
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(curves("part"), curves("whole"));
}

TEST_F(Train, StopsCleanlyOnASignalAndGoesOnExactly) {
  ASSERT_EQ(run(small_train({"--output", "whole", "--epochs", "60"})).code, 0);
  for (const int signal : {SIGINT, SIGTERM}) {
    const std::string name = signal == SIGINT ? "int" : "term";
    const pid_t process = start(small_train({"--output", name, "--epochs", "60"}));
    wait_for_steps(name + "/steps.csv", 3);
    ::kill(process, signal);
    const Outcome stopped = finish(process);
    if (stopped.code == 0) GTEST_SKIP() << "the run ended before the signal came";
    EXPECT_EQ(stopped.code, 128 + signal) << stopped.err;
    EXPECT_THAT(stopped.err, HasSubstr("go on with: roentgen train --resume"));
    EXPECT_TRUE(is_one_sentence(stopped.err)) << stopped.err;
    const Outcome o = run({"train", "--resume", name, "--quiet", "-j", "2"});
    ASSERT_EQ(o.code, 0) << o.err;
    EXPECT_TRUE(results(name) == results("whole"));
  }
}

TEST_F(Train, KilledAtAnyInstantItGoesOnExactly) {
  ASSERT_EQ(run(small_train({"--output", "whole", "--epochs", "12"})).code, 0);
  const Words words =
      small_train({"--output", "run", "--epochs", "12", "--save-every", "1", "--resume", "auto"});
  for (int i = 0; i < 8; ++i) {
    const pid_t process = start(words);
    std::this_thread::sleep_for(std::chrono::milliseconds(15 + 13 * i % 40));
    ::kill(process, SIGKILL);
    finish(process);
    for (const char* file : {"run/last.safetensors", "run/best.safetensors"}) {
      EXPECT_TRUE(!exists(file) || run({"summary", "--weights", file}).code == 0) << file;
    }
  }
  const Outcome o = run(words);
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_TRUE(results("run") == results("whole"));
}

TEST_F(Train, ASecondSignalEndsAtOnce) {
  // Steps of some tenths of a second, so that both signals come within one.
  const pid_t process =
      start({"train", "--data", "xrays", "--output", "run", "--image-size", "256", "--filters", "64", "-b",
             "18", "--epochs", "100", "--device", "reference", "--quiet"});
  for (int i = 0; i < 2000 && !exists("run/steps.csv"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ::kill(process, SIGINT);
  ::kill(process, SIGTERM);
  const Outcome o = finish(process);
  EXPECT_TRUE(o.code == 130 || o.code == 143) << o.code;
  EXPECT_EQ(o.err, "");  // it did not stay to say how to go on
}

TEST_F(Train, AFullDiskIsSeenBeforeTheTrainingBegins) {
  std::filesystem::create_directory(path("small"));
  if (::mount("tmpfs", path("small").c_str(), "tmpfs", 0, "size=1m") != 0) {
    GTEST_SKIP() << "mounting a small file system needs root";
  }
  const Outcome o = run(small_train({"--output", "small/run"}));
  ::umount(path("small").c_str());
  EXPECT_EQ(o.code, 74) << o.err;
  EXPECT_THAT(o.err, HasSubstr("not enough room for the checkpoints in 'small/run'"));
  EXPECT_TRUE(is_one_sentence(o.err)) << o.err;
}

TEST_F(Train, ResumesIntoAnotherFolder) {
  ASSERT_EQ(run(small_train({"--output", "whole", "--epochs", "3"})).code, 0);
  ASSERT_EQ(run(small_train({"--output", "part"})).code, 0);
  ASSERT_EQ(
      run({"train", "--resume", "part/last.safetensors", "--epochs", "3", "--output", "more", "--quiet"})
          .code,
      0);
  EXPECT_EQ(curves("more"), curves("whole"));
  EXPECT_EQ(lines("part/steps.csv").size(), 11u);  // left as it was
}

// Else the old run's checkpoints would be taken for those of the one that took its place.
TEST_F(Train, ResumingIntoAnotherRunsFolderLeavesNothingOfIt) {
  ASSERT_EQ(run(small_train({"--output", "a", "--val-split", "0"})).code, 0);
  ASSERT_EQ(run(small_train({"--output", "b", "--epochs", "3"})).code, 0);
  // Nothing is left to be done: what is there was there before or taken over.
  ASSERT_EQ(run({"train", "--resume", "a", "--output", "b", "--exist-ok", "--quiet"}).code, 0);
  EXPECT_FALSE(exists("b/best.safetensors"));
  EXPECT_EQ(lines("b/metrics.csv"), lines("a/metrics.csv"));
  EXPECT_TRUE(read("b/last.safetensors") == read("a/last.safetensors"));
}

TEST_F(Train, ResumeAutoStartsOrGoesOn) {
  ASSERT_EQ(run(small_train({"--output", "whole"})).code, 0);
  ASSERT_EQ(run(small_train({"--output", "run", "--epochs", "1", "--resume", "auto"})).code, 0);
  EXPECT_EQ(lines("run/steps.csv").size(), 6u);
  ASSERT_EQ(run(small_train({"--output", "run", "--resume", "auto"})).code, 0);
  EXPECT_EQ(curves("run"), curves("whole"));
  // Without value it is OUTPUT's.
  const Outcome o = run(small_train({"--output", "run", "--resume"}));
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(curves("run"), curves("whole"));
}

TEST_F(Train, AResumedRunKeepsItsOptionsAndData) {
  ASSERT_EQ(run(small_train({"--output", "run"})).code, 0);
  Outcome o = run({"train", "--resume", "run", "--batch-size", "5", "--quiet"});
  EXPECT_EQ(o.code, 2);
  EXPECT_THAT(o.err, HasSubstr("--batch-size 5 differs from the 4"));
  // best.safetensors is the best by what was monitored.
  o = run({"train", "--resume", "run", "--monitor", "val_accuracy", "--quiet"});
  EXPECT_EQ(o.code, 2);
  EXPECT_THAT(o.err, HasSubstr("--monitor \"val_accuracy\" differs from the \"val_loss\""));
  std::filesystem::remove(path("xrays/train/Covid/0000.png"));
  o = run({"train", "--resume", "run", "--epochs", "3", "--quiet"});
  EXPECT_EQ(o.code, 3);
  EXPECT_THAT(o.err, HasSubstr("not those that the run in 'run' began with"));
  o = run({"train", "--resume", "run/best.safetensors", "--quiet"});
  EXPECT_EQ(o.code, 4);
  EXPECT_THAT(o.err, HasSubstr("weights only"));
  o = run({"train", "--resume", "nowhere"});
  EXPECT_EQ(o.code, 74);
  EXPECT_THAT(o.err, HasSubstr("nowhere"));
  o = run({"train", "--resume"});
  EXPECT_EQ(o.code, 2);
  EXPECT_THAT(o.err, HasSubstr("--output"));
}

TEST_F(Train, RefusesToOverwriteARun) {
  ASSERT_EQ(run(small_train({"--output", "run"})).code, 0);
  const std::string before = read("run/last.safetensors");
  const Outcome o = run(small_train({"--output", "run", "--seed", "5"}));
  EXPECT_EQ(o.code, 2);
  EXPECT_THAT(o.err, HasSubstr("'run' already holds files"));
  EXPECT_TRUE(read("run/last.safetensors") == before);
  ASSERT_EQ(run(small_train({"--output", "run", "--seed", "5", "--val-split", "0", "--exist-ok"})).code, 0);
  EXPECT_FALSE(read("run/last.safetensors") == before);
  EXPECT_FALSE(exists("run/best.safetensors"));  // none of the old run is left
}

TEST_F(Train, NamesItsFolder) {
  ASSERT_EQ(run(small_train({"--name", "first"})).code, 0);
  EXPECT_TRUE(exists("runs/first/last.safetensors"));
  ASSERT_EQ(run(small_train({"--epochs", "1"})).code, 0);
  int runs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path("runs"))) {
    runs += std::filesystem::exists(entry.path() / "last.safetensors");
  }
  EXPECT_EQ(runs, 2);
}

TEST_F(Train, DryRunWritesNothing) {
  const Outcome o = run(small_train({"--output", "run", "--dry-run"}));
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_THAT(o.out, HasSubstr("Would train on 18 images and validate with 6, 10 steps in 2 epochs"));
  EXPECT_THAT(o.out, HasSubstr("Total params: 2,747"));
  EXPECT_FALSE(exists("run"));
}

TEST_F(Train, ShowsProgressInPlainLines) {
  Words words = small_train({"--output", "run"});
  std::erase(words, "--quiet");
  const Outcome o = run(words);
  EXPECT_EQ(o.code, 0);
  EXPECT_THAT(o.err, HasSubstr("Epoch 2/2  5/5  loss "));
  EXPECT_THAT(o.err, Not(HasSubstr("\r")));
  EXPECT_THAT(o.err, Not(HasSubstr("\x1b")));
}

TEST_F(Train, StartsFromGivenWeightsInTheOrderOfTheFiles) {
  ASSERT_EQ(run(small_train({"--output", "run"})).code, 0);
  const Words parity = {"--init", "run/best.safetensors", "--augment",   "none", "--dropout",
                        "0",      "--no-shuffle",         "--val-split", "0",    "--lr",
                        "0",      "--optimizer",          "sgd"};
  Words words = small_train({"--output", "again"});
  words.insert(words.end(), parity.begin(), parity.end());
  const Outcome o = run(words);
  ASSERT_EQ(o.code, 0) << o.err;
  // Nothing is drawn and nothing learned: both epochs take the same losses.
  const auto steps = lines("again/steps.csv");
  ASSERT_EQ(steps.size(), 13u);
  for (std::size_t i = 1; i <= 6; ++i) {
    EXPECT_EQ(steps[i].substr(steps[i].find(",1,") + 3), steps[i + 6].substr(steps[i + 6].find(",2,") + 3));
  }
}

TEST_F(Train, TakesEveryOptimizerScheduleAndPrecision) {
  const std::vector<Words> choices = {
      {"--optimizer", "sgd", "--momentum", "0.9", "--nesterov", "--schedule", "step", "--lr", "1e-2"},
      {"--optimizer", "adamw", "--weight-decay", "0.01", "--schedule", "exponential", "--warmup", "3"},
      {"--schedule", "cosine", "--warmup", "2", "--clip-norm", "1", "--label-smoothing", "0.1"},
      {"--epsilon-mode", "torch", "--class-weights", "balanced", "--sampling", "balanced"},
      {"--device", "reference", "--precision", "double", "--resize", "nearest", "--monitor", "val_accuracy"},
      {"--precision", "bf16", "--rotation", "5", "--zoom", "0", "--no-flip", "--patience", "1"},
      {"--image-size", "20", "--deterministic", "--on-bad-image", "skip"}};
  for (std::size_t i = 0; i < choices.size(); ++i) {
    Words words = small_train({"--output", "run" + std::to_string(i)});
    words.insert(words.end(), choices[i].begin(), choices[i].end());
    const Outcome o = run(words);
    EXPECT_EQ(o.code, 0) << o.err;
  }
  // Doubles have 17 digits.
  EXPECT_THAT(lines("run4/steps.csv")[1], testing::MatchesRegex("1,1,[0-9].[0-9]{14,17},.*"));
}

TEST_F(Train, StopsEarly) {
  const Outcome o = run(small_train({"--output", "run", "--epochs", "50", "--patience", "2", "--lr", "0"}));
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_THAT(o.out, HasSubstr("Trained 3 epochs"));
  EXPECT_THAT(o.out, HasSubstr("stopped early, 2 epochs without a better val_loss"));
}

TEST_F(Train, ADivergingRunEndsWithItsOwnCode) {
  const Outcome o = run(small_train(
      {"--output", "run", "--optimizer", "sgd", "--lr", "1e30", "--epochs", "50", "--save-every", "1"}));
  EXPECT_EQ(o.code, 6) << o.err;
  EXPECT_THAT(o.err, HasSubstr("diverged"));
  EXPECT_THAT(o.err, HasSubstr("lower the learning rate"));
  EXPECT_TRUE(is_one_sentence(o.err)) << o.err;
  if (exists("run/last.safetensors")) {
    EXPECT_EQ(run({"summary", "--weights", "run/last.safetensors"}).code, 0);
  }
}

TEST_F(Train, AFileSizeLimitIsReportedAsAFullDiskIs) {
  ASSERT_EQ(run(small_train({"--output", "run"})).code, 0);
  const std::string before = read("run/last.safetensors");
  // Curves fit, checkpoints of 38 kB do not.
  const Outcome o = run({"train", "--resume", "run", "--epochs", "4", "--quiet"}, {.file_size_limit = 8192});
  EXPECT_EQ(o.code, 74) << o.err;
  EXPECT_THAT(o.err, HasSubstr("safetensors"));
  EXPECT_THAT(o.err, HasSubstr("File too large"));
  EXPECT_TRUE(is_one_sentence(o.err)) << o.err;
  EXPECT_TRUE(read("run/last.safetensors") == before);
  EXPECT_EQ(run({"train", "--resume", "run", "--epochs", "4", "--quiet"}).code, 0);
}

TEST_F(Train, AFileInThePlaceOfTheFolderIsRefused) {
  write("run", "a file");
  const Outcome o = run(small_train({"--output", "run/deeper"}));
  EXPECT_EQ(o.code, 74) << o.err;
  EXPECT_THAT(o.err, HasSubstr("run/deeper"));
}

}  // namespace
}  // namespace roentgen::apps::test

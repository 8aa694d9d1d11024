// The command line: usage, precedence of its sources, one sentence and one exit code for each kind of
// mistake.
#include <gmock/gmock.h>

#include "tests/apps/support.h"

namespace roentgen::apps::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class Usage : public ProgramTest {
 protected:
  void expect_error(const Words& words, int code, const std::string& part) const {
    const Outcome o = run(words);
    EXPECT_EQ(o.code, code) << o.err;
    EXPECT_THAT(o.err, HasSubstr(part));
    EXPECT_THAT(o.err, testing::StartsWith("roentgen: "));
    EXPECT_TRUE(is_one_sentence(o.err)) << o.err;
    EXPECT_EQ(o.out, "");
  }
};

TEST_F(Usage, VersionAndHelp) {
  const Outcome version = run({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_THAT(version.out, testing::MatchesRegex("roentgen [0-9]+\\.[0-9]+\\.[0-9]+\n"));
  EXPECT_THAT(run({"--help"}).out, HasSubstr("Exit codes: 0 ok"));
  for (const char* command : {"train", "evaluate", "predict", "summary", "phantom"}) {
    const Outcome o = run({command, "--help"});
    EXPECT_EQ(o.code, 0) << command;
    EXPECT_THAT(o.out, HasSubstr(std::string("roentgen ") + command)) << command;
    EXPECT_THAT(o.out, HasSubstr("Examples:")) << command;
  }
}

TEST_F(Usage, MistakesOnTheCommandLine) {
  expect_error({}, 2, "--help");
  expect_error({"fly"}, 2, "fly");
  expect_error({"train"}, 2, "--data DIR");
  expect_error({"train", "--no-such-option"}, 2, "--no-such-option");
  expect_error({"train", "--data", "x", "--epochs", "many"}, 2, "--epochs");
  expect_error({"train", "--data", "x", "--epochs", "0"}, 2, "--epochs");
  expect_error({"train", "--data", "x", "--dropout", "1"}, 2, "--dropout");
  expect_error({"train", "--data", "x", "--lr", "nan"}, 2, "--lr: takes a number of 0 or more, not 'nan'");
  expect_error({"train", "--data", "x", "--lr", "inf"}, 2, "--lr");
  expect_error({"train", "--data", "x", "--val-split", "nan"}, 2, "from 0 to 0.999, not 'nan'");
  expect_error({"train", "--data", "x", "--seed", "-1"}, 2, "--seed");
  expect_error({"phantom", "--output", "p", "--seed", "18446744073709551616"}, 2, "--seed");
  expect_error({"predict", "--weights", ".", "x.png"}, 4, "it is a folder");
  expect_error({"train", "--data", "x", "--optimizer", "magic"}, 2, "--optimizer");
  expect_error({"train", "--data", "x", "--momentum", "0.9"}, 2, "--optimizer sgd");
  expect_error({"train", "--data", "x", "--weight-decay", "0.1"}, 2, "adamw");
  expect_error({"train", "--data", "x", "--val-split", "0", "--patience", "3"}, 2, "--val-split");
  expect_error({"train", "--data", "x", "--init", "a", "--resume", "auto", "--output", "o"}, 2, "--resume");
  expect_error({"train", "--data", "x", "--device", "abacus"}, 2, "abacus");
  expect_error({"train", "--data", "x", "--device", "cpu", "--precision", "float64"}, 2, "reference");
  expect_error({"evaluate"}, 2, "--weights");
  expect_error({"predict", "--weights", "w"}, 2, "images");
  expect_error({"predict", "--weights", "w", "--json", "--csv", "x.png"}, 2, "exclude");
  expect_error({"phantom"}, 2, "--output");
  expect_error({"phantom", "--output", "p", "--size", "7"}, 2, "--size");
  expect_error({"summary", "--image-size", "16"}, 2, "--image-size 16");
}

#if !ROENTGEN_WITH_CUDA
TEST_F(Usage, ADeviceThatIsNotThere) {
  expect_error({"train", "--data", "x", "--device", "cuda"}, 5, "CUDA");
}
#endif

TEST_F(Usage, BadData) {
  expect_error({"train", "--data", "nowhere"}, 3, "nowhere");
  make_phantoms();
  const std::string whole = read("xrays/train/Normal/0003.png");
  write("xrays/train/Normal/0003.png", whole.substr(0, whole.size() / 2));
  expect_error(small_train({"--output", "run"}), 3, "0003.png");
  expect_error(small_train({"--output", "run"}), 3, "--on-bad-image skip");
  EXPECT_FALSE(exists("run/last.safetensors"));
  write("xrays/train/Covid/notes.txt", "no image");
  const Outcome skipped = run(small_train({"--output", "run", "--on-bad-image", "skip", "--exist-ok"}));
  EXPECT_EQ(skipped.code, 0);
  EXPECT_THAT(skipped.err, HasSubstr("skipped"));
  EXPECT_THAT(skipped.err, HasSubstr("0003.png"));
  EXPECT_THAT(skipped.err, HasSubstr("notes.txt"));
  EXPECT_EQ(nlohmann::json::parse(read("run/args.json"))["skipped"],
            nlohmann::json({"Covid/notes.txt", "Normal/0003.png"}));
  std::filesystem::remove(path("xrays/train/Covid/notes.txt"));
  std::filesystem::create_directory(path("xrays/train/Empty"));
  expect_error(small_train({"--output", "run2"}), 3, "Empty");
  write("one/Only/a.png", whole);
  expect_error({"train", "--data", "one"}, 3, "one class only");
}

TEST_F(Usage, BadCheckpoints) {
  make_run();
  const std::string good = read("run/best.safetensors");
  write("cut.safetensors", good.substr(0, good.size() - 5));
  write("text.safetensors", "no checkpoint at all, only text");
  std::string flipped = good;
  flipped[flipped.size() - 100] = static_cast<char>(flipped[flipped.size() - 100] ^ 4);
  write("flipped.safetensors", flipped);
  for (const char* file : {"cut.safetensors", "text.safetensors", "flipped.safetensors"}) {
    expect_error({"evaluate", "--weights", file, "--data", "xrays"}, 4, file);
    expect_error({"predict", "--weights", file, "xrays/test"}, 4, file);
    expect_error(small_train({"--output", "new", "--init", file}), 4, file);
  }
  expect_error({"evaluate", "--weights", "missing", "--data", "xrays"}, 74, "missing");
  // The weights of another network.
  expect_error(small_train({"--output", "new", "--init", "run/best.safetensors", "--dense", "9"}), 4,
               "dense1");
}

TEST_F(Usage, OutputThatCannotBeWritten) {
  make_run();
  const Outcome o =
      run({"evaluate", "--weights", "run/best.safetensors", "--data", "xrays"}, {.stdout_to = "/dev/full"});
  EXPECT_EQ(o.code, 74) << o.err;
  EXPECT_THAT(o.err, HasSubstr("standard output"));
  expect_error({"evaluate", "--weights", "run/best.safetensors", "--data", "xrays", "--predictions",
                "no/such/folder.csv"},
               74, "no/such");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // both need more address space than this
TEST_F(Usage, OutOfMemory) {
  make_phantoms();
  const Outcome o =
      run({"train", "--data", "xrays", "--output", "run", "--dense", "1000000"}, {.memory_limit = 8L << 30});
  EXPECT_EQ(o.code, 1);
  EXPECT_THAT(o.err, HasSubstr("out of memory"));
  EXPECT_TRUE(is_one_sentence(o.err)) << o.err;
  EXPECT_FALSE(exists("run"));
}
#endif

TEST_F(Usage, DebugNamesTheError) {
  const Outcome o = run({"train", "--data", "nowhere", "--debug"});
  EXPECT_EQ(o.code, 3);
  EXPECT_THAT(o.err, HasSubstr("[roentgen::data::DataError]"));
}

TEST_F(Usage, CommandLineBeforeEnvironmentBeforeFileBeforeDefault) {
  make_phantoms();
  write("options.toml",
        "batch-size = 3\nlr = 0.5\n[train]\nepochs = 7\nfilters = [2, 3]\nquiet = true\n[evaluate]\njson = "
        "true\n");
  const Outcome o = run({"train", "--data", "xrays", "--image-size", "32", "--dry-run", "--json", "--config",
                         "options.toml", "--epochs", "1", "--epochs", "2"},
                        {.environment = {{"ROENTGEN_BATCH_SIZE", "5"}, {"ROENTGEN_EPOCHS", "9"}}});
  ASSERT_EQ(o.code, 0) << o.err;
  const json args = json::parse(o.out)["arguments"];
  EXPECT_EQ(args["epochs"], 2);      // command line, the last of two
  EXPECT_EQ(args["batch_size"], 5);  // environment
  EXPECT_EQ(args["lr"], 0.5);        // file
  EXPECT_EQ(args["filters"], json({2, 3}));
  EXPECT_EQ(args["quiet"], true);
  EXPECT_EQ(args["dense"], 64);  // default
}

TEST_F(Usage, ARunsArgumentsAreAConfiguration) {
  make_run();
  const Outcome o = run({"train", "--config", "run/args.json", "--output", "again"});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_TRUE(read("again/last.safetensors") == read("run/last.safetensors"));
}

TEST_F(Usage, BadConfigurations) {
  expect_error({"train", "--config", "missing.toml"}, 2, "missing.toml");
  write("unknown.toml", "batch-siez = 3\n");
  expect_error({"train", "--config", "unknown.toml"}, 2, "'batch-siez'");
  write("bad.toml", "epochs = many\n");
  expect_error({"train", "--config", "bad.toml"}, 2, "bad.toml");
  write("bad.json", "{\"epochs\": ");
  expect_error({"train", "--config", "bad.json"}, 2, "bad.json");
}

}  // namespace
}  // namespace roentgen::apps::test

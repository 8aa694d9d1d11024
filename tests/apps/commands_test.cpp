// evaluate, predict, summary and phantom.
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "tests/apps/support.h"

namespace roentgen::apps::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class Commands : public ProgramTest {
 protected:
  Commands() { make_run(); }
  Outcome evaluate(const Words& more) const {
    Words words = {"evaluate", "--weights", "run/best.safetensors", "--data", "xrays"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
};

TEST_F(Commands, EvaluateAsJson) {
  const Outcome o = evaluate({"--json"});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_EQ(o.err, "For research and education, not for diagnosis.\n");
  const json result = json::parse(o.out);
  EXPECT_EQ(result["n"], 9);
  EXPECT_EQ(result["classes"], json({"Covid", "Normal", "Viral Pneumonia"}));
  int total = 0, right = 0;
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::size_t j = 0; j < 3; ++j) total += result["confusion_matrix"][k][j].get<int>();
    right += result["confusion_matrix"][k][k].get<int>();
    const json& scores = result["per_class"][result["classes"][k].get<std::string>()];
    EXPECT_EQ(scores["support"], 3);
    EXPECT_NEAR(scores["recall"].get<double>(), result["confusion_matrix"][k][k].get<double>() / 3, 1e-12);
    EXPECT_TRUE(scores.contains("precision") && scores.contains("f1"));
  }
  EXPECT_EQ(total, 9);
  EXPECT_NEAR(result["accuracy"].get<double>(), right / 9.0, 1e-12);
  EXPECT_LE(result["accuracy_interval"][0], result["accuracy"]);
  EXPECT_GE(result["accuracy_interval"][1], result["accuracy"]);
  EXPECT_TRUE(std::isfinite(result["loss"].get<double>()));
  EXPECT_TRUE(result["auc"].is_number());
  EXPECT_TRUE(result["ece"].is_number());
  EXPECT_EQ(result["leaked"], json::array());
  EXPECT_EQ(result["without_leaked"]["n"], 9);
}

TEST_F(Commands, EvaluateAsText) {
  const Outcome o = evaluate({});
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_THAT(o.out, testing::StartsWith("                 precision    recall  f1-score   support\n\n"));
  EXPECT_THAT(o.out, HasSubstr("weighted avg"));
  EXPECT_THAT(o.out, HasSubstr("true \\ predicted"));
  EXPECT_THAT(o.out, HasSubstr("95% interval"));
  EXPECT_THAT(o.out, HasSubstr("None of these images was seen in training"));
}

TEST_F(Commands, EvaluateLeavesOutLeakedImages) {
  // One of the training images again among the test images, under another name.
  std::filesystem::copy_file(path("xrays/train/Normal/0002.png"), path("xrays/test/Normal/zz.png"));
  const json result = json::parse(evaluate({"--json"}).out);
  EXPECT_EQ(result["n"], 10);
  EXPECT_EQ(result["leaked"], json({"Normal/zz.png"}));
  EXPECT_EQ(result["without_leaked"]["n"], 9);
  EXPECT_THAT(evaluate({}).out, HasSubstr("1 of these images were seen in training"));
  // Of a folder that the checkpoint knows nothing of.
  std::filesystem::create_directories(path("other"));
  std::filesystem::copy(path("xrays/test"), path("other"), std::filesystem::copy_options::recursive);
  const json other = json::parse(evaluate({"--json", "--train-data", "other"}).out);
  EXPECT_EQ(other["without_leaked"]["n"], 0);
  EXPECT_TRUE(other["without_leaked"]["accuracy"].is_null());
}

TEST_F(Commands, EvaluateMatchesClassesByName) {
  const json all = json::parse(evaluate({"--json"}).out);
  // Without Covid, Normal is the first class of the folder but stays the second of the network.
  std::filesystem::remove_all(path("xrays/test/Covid"));
  const json result = json::parse(evaluate({"--json"}).out);
  EXPECT_EQ(result["n"], 6);
  EXPECT_EQ(result["confusion_matrix"][1], all["confusion_matrix"][1]);
  EXPECT_EQ(result["confusion_matrix"][0], json({0, 0, 0}));
  std::filesystem::rename(path("xrays/test/Normal"), path("xrays/test/Healthy"));
  const Outcome o = evaluate({});
  EXPECT_EQ(o.code, 3);
  EXPECT_THAT(o.err, HasSubstr("Healthy"));
}

TEST_F(Commands, EvaluateWritesPredictionsInFileOrder) {
  std::filesystem::rename(path("xrays/test/Covid/0001.png"), path("xrays/test/Covid/a \"b\", c.png"));
  ASSERT_EQ(evaluate({"--predictions", "p.csv", "-b", "2"}).code, 0);
  const auto rows = lines("p.csv");
  ASSERT_EQ(rows.size(), 10u);
  EXPECT_EQ(rows[0], "file,label,predicted,Covid,Normal,Viral Pneumonia");
  EXPECT_THAT(rows[1], testing::StartsWith("Covid/0000.png,Covid,"));
  EXPECT_THAT(rows[2], testing::StartsWith("Covid/0002.png,Covid,"));
  EXPECT_THAT(rows[3], testing::StartsWith("\"Covid/a \"\"b\"\", c.png\",Covid,"));
  EXPECT_THAT(rows[9], testing::StartsWith("Viral Pneumonia/0002.png,Viral Pneumonia,"));
}

TEST_F(Commands, PredictTakesFilesFoldersAndPatternsInOrder) {
  const Outcome o = run({"predict", "--weights", "run/best.safetensors", "--json",
                         "xrays/test/Normal/0001.png", "xrays/test/Covid", "xrays/test/*/0002.png"});
  ASSERT_EQ(o.code, 0) << o.err;
  const json result = json::parse(o.out);
  std::vector<std::string> files;
  for (const json& entry : result) {
    files.push_back(entry["file"]);
    double sum = 0;
    for (const auto& p : entry["probabilities"]) sum += p.get<double>();
    EXPECT_NEAR(sum, 1, 1e-6);  // of floats
    EXPECT_TRUE(entry["probabilities"].contains(entry["class"].get<std::string>()));
  }
  EXPECT_EQ(files, (std::vector<std::string>{"xrays/test/Normal/0001.png", "xrays/test/Covid/0000.png",
                                             "xrays/test/Covid/0001.png", "xrays/test/Covid/0002.png",
                                             "xrays/test/Covid/0002.png", "xrays/test/Normal/0002.png",
                                             "xrays/test/Viral Pneumonia/0002.png"}));
}

TEST_F(Commands, PredictAgreesWithEvaluate) {
  ASSERT_EQ(evaluate({"--predictions", "p.csv"}).code, 0);
  const Outcome o = run({"predict", "--weights", "run/best.safetensors", "--csv", "xrays/test"});
  ASSERT_EQ(o.code, 0) << o.err;
  write("q.csv", o.out);
  const auto p = lines("p.csv"), q = lines("q.csv");
  ASSERT_EQ(p.size(), q.size());
  const auto field = [](std::string row, int number) {
    for (; number > 0; --number) row.erase(0, row.find(',') + 1);
    return row.substr(0, row.find(','));
  };
  for (std::size_t i = 1; i < p.size(); ++i) {
    EXPECT_EQ(field(q[i], 0), "xrays/test/" + field(p[i], 0));
    EXPECT_EQ(field(q[i], 1), field(p[i], 2));
    // Softmax in double there and in float here.
    EXPECT_NEAR(std::stod(field(q[i], 2)), std::stod(field(p[i], 3)), 1e-6);
  }
}

TEST_F(Commands, PredictGoesOnAfterABadFile) {
  write("broken.png", "no image");
  const Outcome o = run({"predict", "--weights", "run/best.safetensors", "--topk", "1", "broken.png",
                         "missing.png", "xrays/test/Normal/0001.png"});
  EXPECT_EQ(o.code, 3);
  EXPECT_THAT(o.err, HasSubstr("broken.png"));
  EXPECT_THAT(o.err, HasSubstr("missing.png"));
  EXPECT_THAT(o.err, HasSubstr("2 of 3 files"));
  EXPECT_THAT(o.out, testing::MatchesRegex("xrays/test/Normal/0001.png:  [A-Za-z ]+ [0-9.]+%\n"));
  const Outcome all = run({"predict", "--weights", "run/best.safetensors", "--json", "broken.png"});
  EXPECT_EQ(all.code, 3);
  EXPECT_THAT(json::parse(all.out)[0]["error"].get<std::string>(), HasSubstr("broken.png"));
}

TEST_F(Commands, SummaryIsKerasTable) {
  const Outcome recipe = run({"summary"});
  EXPECT_EQ(recipe.code, 0);
  EXPECT_THAT(recipe.out, HasSubstr("Total params: 7,466,307"));
  EXPECT_THAT(recipe.out, HasSubstr("Output Shape"));
  EXPECT_THAT(run({"summary", "--weights", "run/best.safetensors"}).out, HasSubstr("Total params: 2,747"));
  EXPECT_THAT(
      run({"summary", "--image-size", "32", "--filters", "4,8", "--dense", "8", "--classes", "5"}).out,
      HasSubstr("(None, 5)"));
}

TEST_F(Commands, PhantomsRepeatAndAreNotOverwritten) {
  const Words words = {"phantom", "--output",         "p", "--train-per-class",
                       "2",       "--test-per-class", "1", "--size",
                       "32",      "--seed",           "4"};
  Outcome o = run(words);
  ASSERT_EQ(o.code, 0) << o.err;
  EXPECT_THAT(o.out, HasSubstr("Wrote 6 images to train and 3 to test with, 32 x 32, in 'p'"));
  const std::string image = read("p/train/Covid/0001.png");
  EXPECT_FALSE(image.empty());
  EXPECT_EQ(run(words).code, 74);
  Words again = words;
  again.push_back("--exist-ok");
  EXPECT_EQ(run(again).code, 0);
  EXPECT_TRUE(read("p/train/Covid/0001.png") == image);
}

}  // namespace
}  // namespace roentgen::apps::test

#include "data/split.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>

namespace roentgen::data {
namespace {

// `counts` samples per class, all different.
std::vector<Sample> make_samples(const std::vector<int>& counts) {
  std::vector<Sample> samples;
  for (std::size_t label = 0; label < counts.size(); ++label) {
    for (int i = 0; i < counts[label]; ++i) {
      Sample sample;
      sample.label = static_cast<int>(label);
      sample.hash = 1000 * (label + 1) + static_cast<std::uint64_t>(i);
      samples.push_back(sample);
    }
  }
  return samples;
}

std::map<int, int> count_by_class(const std::vector<Sample>& samples,
                                  const std::vector<std::int64_t>& indices) {
  std::map<int, int> counts;
  for (const std::int64_t i : indices) ++counts[samples[static_cast<std::size_t>(i)].label];
  return counts;
}

TEST(StratifiedSplit, RoundsPerClassAndLosesNothing) {
  const std::vector<Sample> samples = make_samples({111, 70, 70, 1, 2, 3});
  for (const double fraction : {0.2, 0.5, 0.01, 0.99}) {
    const SplitIndices split = stratified_split(samples, fraction, 5);
    std::set<std::int64_t> all(split.train.begin(), split.train.end());
    all.insert(split.val.begin(), split.val.end());
    EXPECT_EQ(all.size(), samples.size());
    EXPECT_EQ(split.train.size() + split.val.size(), samples.size());
    EXPECT_TRUE(std::is_sorted(split.train.begin(), split.train.end()));
    EXPECT_TRUE(std::is_sorted(split.val.begin(), split.val.end()));
    std::map<int, int> val = count_by_class(samples, split.val);
    for (const auto& [label, count] : std::map<int, int>{{0, 111}, {1, 70}, {2, 70}, {4, 2}, {5, 3}}) {
      EXPECT_EQ(val[label], std::clamp(static_cast<int>(std::lround(fraction * count)), 1, count - 1))
          << label;
    }
    EXPECT_EQ(val[3], 0);  // the only one of its class stays in train
  }
  EXPECT_TRUE(stratified_split(samples, 0, 5).val.empty());
}

TEST(StratifiedSplit, DependsOnTheSeedAlone) {
  std::vector<Sample> samples = make_samples({50, 40});
  const SplitIndices split = stratified_split(samples, 0.25, 1);
  for (Sample& sample : samples) sample.path = "/somewhere/else";
  EXPECT_EQ(stratified_split(samples, 0.25, 1).val, split.val);
  EXPECT_NE(stratified_split(samples, 0.25, 2).val, split.val);
}

TEST(StratifiedSplit, IdenticalFilesStayTogether) {
  std::vector<Sample> samples = make_samples({40, 30});
  for (const auto& [a, b] :
       {std::pair{0, 17}, {3, 4}, {3, 39}, {12, 60}, {41, 69}}) {  // 12 and 60: across classes
    samples[static_cast<std::size_t>(b)].hash = samples[static_cast<std::size_t>(a)].hash;
  }
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const SplitIndices split = stratified_split(samples, 0.3, seed);
    std::set<std::uint64_t> train_hashes;
    for (const std::int64_t i : split.train) train_hashes.insert(samples[static_cast<std::size_t>(i)].hash);
    for (const std::int64_t i : split.val)
      EXPECT_FALSE(train_hashes.count(samples[static_cast<std::size_t>(i)].hash)) << seed;
    // 12 and no more of class 0; the file that class 0's drags along may come on top in class 1.
    EXPECT_LE(count_by_class(samples, split.val)[0], 13);
    EXPECT_GE(count_by_class(samples, split.val)[0], 10);
  }
}

TEST(StratifiedSplit, EverySampleHasItsTurn) {
  const std::vector<Sample> samples = make_samples({10});
  std::vector<int> drawn(10);
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    for (const std::int64_t i : stratified_split(samples, 0.3, seed).val)
      ++drawn[static_cast<std::size_t>(i)];
  }
  for (const int count : drawn) EXPECT_NEAR(count, 150, 50);  // binomial, deviation 10
}

TEST(StratifiedSplit, RefusesOtherFractions) {
  for (const double fraction : {-0.1, 1.0, 2.0, std::nan("")}) {
    EXPECT_THROW(stratified_split(make_samples({4}), fraction, 0), std::invalid_argument) << fraction;
  }
}

TEST(ClassWeights, AreScikitLearnsBalanced) {
  const std::vector<std::int32_t> labels = {0, 0, 0, 1, 2, 2};
  EXPECT_THAT(class_weights(labels, 3), testing::ElementsAre(6.0f / 9, 2.0f, 1.0f));
  EXPECT_THROW(class_weights(labels, 4), std::invalid_argument);
  EXPECT_THROW(class_weights(labels, 2), std::invalid_argument);
}

}  // namespace
}  // namespace roentgen::data

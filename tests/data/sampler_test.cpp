#include "data/sampler.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <stdexcept>

namespace roentgen::data {
namespace {

TEST(EpochOrder, IsAPermutationThatSeedAndEpochName) {
  const std::vector<std::int64_t> order = epoch_order(1000, 7, 3, true);
  std::vector<std::int64_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted, epoch_order(1000, 7, 3, false));
  EXPECT_EQ(order, epoch_order(1000, 7, 3, true));
  EXPECT_NE(order, epoch_order(1000, 7, 4, true));
  EXPECT_NE(order, epoch_order(1000, 8, 3, true));
  EXPECT_THAT(epoch_order(4, 0, 0, false), testing::ElementsAre(0, 1, 2, 3));
  EXPECT_TRUE(epoch_order(0, 0, 0, true).empty());
  EXPECT_THAT(epoch_order(1, 0, 0, true), testing::ElementsAre(0));
  EXPECT_THROW(epoch_order(-1, 0, 0, true), std::invalid_argument);
}

// A checkpoint of today must resume in the same order tomorrow. The order was computed apart, in Python.
TEST(EpochOrder, StaysWhatItIs) {
  EXPECT_THAT(epoch_order(8, 1234, 5, true), testing::ElementsAre(4, 3, 1, 5, 2, 7, 6, 0));
}

TEST(EpochOrder, EveryPlaceIsAsLikely) {
  std::map<std::pair<std::size_t, std::int64_t>, int> seen;
  for (std::uint32_t epoch = 0; epoch < 2000; ++epoch) {
    const std::vector<std::int64_t> order = epoch_order(5, 0, epoch, true);
    for (std::size_t place = 0; place < 5; ++place) ++seen[{place, order[place]}];
  }
  EXPECT_EQ(seen.size(), 25u);
  for (const auto& [where, count] : seen) EXPECT_NEAR(count, 400, 90);  // binomial, deviation 18
}

std::vector<int> drawn_per_class(const std::vector<std::int32_t>& labels,
                                 const std::vector<std::int64_t>& order, int classes) {
  std::vector<int> counts(static_cast<std::size_t>(classes));
  for (const std::int64_t i : order)
    ++counts[static_cast<std::size_t>(labels.at(static_cast<std::size_t>(i)))];
  return counts;
}

TEST(BalancedOrder, DrawsClassesEquallyOften) {
  std::vector<std::int32_t> labels(111, 0);
  labels.insert(labels.end(), 70, 1);
  labels.insert(labels.end(), 6, 3);  // no class 2
  const std::vector<std::int64_t> order = balanced_order(labels, 4, 9, 0);
  EXPECT_EQ(order.size(), labels.size());
  EXPECT_THAT(drawn_per_class(labels, order, 4), testing::ElementsAre(63, 62, 0, 62));
  EXPECT_THAT(drawn_per_class(labels, balanced_order(labels, 4, 9, 1), 4),
              testing::ElementsAre(62, 62, 0, 63));

  std::map<std::int64_t, int> times;
  for (const std::int64_t i : order) ++times[i];
  for (const auto& [i, count] : times) {
    if (labels[static_cast<std::size_t>(i)] == 3) {
      EXPECT_TRUE(count == 10 || count == 11) << i;
    } else {
      EXPECT_EQ(count, 1) << i;
    }
  }
  EXPECT_EQ(balanced_order(labels, 4, 9, 0), order);
  EXPECT_NE(balanced_order(labels, 4, 9, 5), order);
  EXPECT_NE(balanced_order(labels, 4, 8, 0), order);
  EXPECT_EQ(balanced_order(labels, 4, 9, 0, 1000).size(), 1000u);
}

// A class of which one epoch sees a part shows all of itself over some epochs.
TEST(BalancedOrder, VisitsAllInTime) {
  std::vector<std::int32_t> labels(100, 0);
  labels.insert(labels.end(), 5, 1);
  std::map<std::int64_t, int> times;
  for (std::uint32_t epoch = 0; epoch < 40; ++epoch) {
    for (const std::int64_t i : balanced_order(labels, 2, 0, epoch)) ++times[i];
  }
  EXPECT_EQ(times.size(), 105u);
}

TEST(BalancedOrder, RefusesNonsense) {
  const std::vector<std::int32_t> labels = {0, 1, 2}, none;
  EXPECT_THROW(balanced_order(labels, 2, 0, 0), std::invalid_argument);
  EXPECT_THROW(balanced_order(labels, 3, 0, 0, -1), std::invalid_argument);
  EXPECT_THROW(balanced_order(none, 3, 0, 0, 5), std::invalid_argument);
  EXPECT_TRUE(balanced_order(none, 3, 0, 0).empty());
}

}  // namespace
}  // namespace roentgen::data

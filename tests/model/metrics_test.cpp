#include "model/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace roentgen::model {
namespace {

// Sums of a handful of doubles.
constexpr double eps = 1e-12;

// Of probabilities (through their logarithms, which are logits of themselves).
Predictions predictions_of(const std::vector<std::vector<double>>& rows,
                           const std::vector<std::int32_t>& labels) {
  Predictions p;
  p.classes = static_cast<std::int64_t>(rows.at(0).size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<double> logits;
    for (const double v : rows[i]) logits.push_back(std::log(v) + 3);
    p.append(logits, std::vector<std::int32_t>{labels[i]});
  }
  return p;
}

// 7 images of three classes; the confusion matrix is {{2, 1, 0}, {0, 1, 0}, {1, 0, 2}}.
Predictions seven() {
  return predictions_of(
      {{.7, .2, .1}, {.5, .3, .2}, {.3, .6, .1}, {.1, .8, .1}, {.4, .3, .3}, {.1, .1, .8}, {.2, .3, .5}},
      {0, 0, 0, 1, 2, 2, 2});
}

TEST(Metrics, ArgmaxTakesTheFirstOfEquals) {
  EXPECT_EQ(argmax(std::vector<double>{1, 3, 3, 2}), 1);
  EXPECT_EQ(argmax(std::vector<double>{}), 0);
}

TEST(Metrics, RunningMeansAreWeightedBySamples) {
  RunningMetrics m;
  EXPECT_TRUE(std::isnan(m.loss()));
  m.add(1.0, 10, 16);
  m.add(3.0, 2, 4);
  EXPECT_NEAR(m.loss(), (16.0 + 12.0) / 20, eps);
  EXPECT_NEAR(m.accuracy(), 12.0 / 20, eps);
}

TEST(Metrics, LogitsBecomeProbabilitiesAndLosses) {
  Predictions p;
  p.classes = 3;
  // Logits of this size overflow an exponential that is not shifted.
  p.append(std::vector<double>{1000, 1000 + std::log(2.0), 1000 + std::log(5.0)},
           std::vector<std::int32_t>{1});
  EXPECT_NEAR(p.row(0)[0], 1.0 / 8, eps);
  EXPECT_NEAR(p.row(0)[1], 2.0 / 8, eps);
  EXPECT_NEAR(p.losses[0], std::log(4.0), eps);
  EXPECT_EQ(p.predicted(0), 2);
  // Smoothing 0.3 over three classes: 0.7 of the label's loss and 0.1 of everyone's.
  p.append(std::vector<double>{0, std::log(2.0), std::log(5.0)}, std::vector<std::int32_t>{1}, 0.3);
  EXPECT_NEAR(p.losses[1], 0.7 * std::log(4.0) + 0.1 * (std::log(8.0) + std::log(4.0) + std::log(1.6)), eps);
  EXPECT_THROW(p.append(std::vector<double>{1, 2}, std::vector<std::int32_t>{0}), std::invalid_argument);
  EXPECT_THROW(p.append(std::vector<double>{1, 2, 3}, std::vector<std::int32_t>{3}), std::invalid_argument);
}

TEST(Metrics, AccuracyAndLoss) {
  const Predictions p = seven();
  EXPECT_EQ(correct_count(p), 5);
  EXPECT_NEAR(accuracy(p), 5.0 / 7, eps);
  const double loss = -(std::log(.7) + std::log(.5) + std::log(.3) + std::log(.8) + std::log(.3) +
                        std::log(.8) + std::log(.5)) /
                      7;
  EXPECT_NEAR(mean_loss(p), loss, eps);
  const Predictions part = p.subset(std::vector<std::int64_t>{6, 2});
  EXPECT_EQ(part.labels, (std::vector<std::int32_t>{2, 0}));
  EXPECT_NEAR(mean_loss(part), -(std::log(.5) + std::log(.3)) / 2, eps);
  EXPECT_TRUE(std::isnan(accuracy(p.subset({}))));
  EXPECT_TRUE(std::isnan(mean_loss(p.subset({}))));
}

TEST(Metrics, ConfusionMatrixHasTrueClassesAsRows) {
  EXPECT_EQ(confusion_matrix(seven()), (ConfusionMatrix{{2, 1, 0}, {0, 1, 0}, {1, 0, 2}}));
}

TEST(Metrics, ScoresByHand) {
  const auto scores = class_scores({{2, 1, 0}, {0, 1, 0}, {1, 0, 2}});
  EXPECT_NEAR(scores[0].precision, 2.0 / 3, eps);
  EXPECT_NEAR(scores[0].recall, 2.0 / 3, eps);
  EXPECT_NEAR(scores[1].precision, 0.5, eps);
  EXPECT_NEAR(scores[1].recall, 1.0, eps);
  EXPECT_NEAR(scores[1].f1, 2.0 / 3, eps);
  EXPECT_NEAR(scores[2].precision, 1.0, eps);
  EXPECT_NEAR(scores[2].f1, 0.8, eps);
  EXPECT_EQ(scores[2].support, 3);
  const auto macro = macro_average(scores), weighted = weighted_average(scores);
  EXPECT_NEAR(macro.precision, (2.0 / 3 + 0.5 + 1) / 3, eps);
  EXPECT_NEAR(weighted.precision, (2.0 / 3 * 3 + 0.5 + 3) / 7, eps);
  EXPECT_EQ(weighted.support, 7);
}

TEST(Metrics, ScoresWithoutDenominatorAreZero) {
  const auto scores = class_scores({{0, 2}, {0, 0}});
  EXPECT_EQ(scores[0].precision, 0);
  EXPECT_EQ(scores[1].recall, 0);
  EXPECT_EQ(scores[1].f1, 0);
}

TEST(Metrics, WilsonInterval) {
  // Center and half width from the formula with z^2 = 3.841459: 55 of 66 is 0.7263 to 0.9044.
  const Interval i = wilson_interval(55, 66);
  const double z2 = 1.959963984540054 * 1.959963984540054, p = 55.0 / 66;
  // Its ends are the roots of (q - p)^2 = z^2 q (1 - q) / n.
  for (const double q : {i.low, i.high}) EXPECT_NEAR((q - p) * (q - p), z2 * q * (1 - q) / 66, eps);
  EXPECT_LT(i.low, p);
  EXPECT_GT(i.high, p);
  EXPECT_EQ(wilson_interval(0, 10).low, 0);
  EXPECT_NEAR(wilson_interval(0, 10).high, z2 / (10 + z2), eps);
  EXPECT_EQ(wilson_interval(10, 10).high, 1);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
}

TEST(Metrics, RocAucCountsPairsAndHalvesTies) {
  // Class 1's probabilities: positives .8 .5 .5, negatives .9 .5 .1; pairs won: .8 wins 2, each .5 wins 1.5.
  const Predictions p =
      predictions_of({{.2, .8}, {.5, .5}, {.5, .5}, {.1, .9}, {.5, .5}, {.9, .1}}, {1, 1, 1, 0, 0, 0});
  EXPECT_NEAR(*roc_auc(p, 1), (2 + 1.5 + 1.5) / 9, eps);
  EXPECT_NEAR(*roc_auc(p, 0), (2 + 1.5 + 1.5) / 9, eps);
  EXPECT_NEAR(*mean_roc_auc(p), 5.0 / 9, eps);
}

TEST(Metrics, RocAucNeedsBothSides) {
  const Predictions p = predictions_of({{.2, .5, .3}, {.5, .3, .2}}, {1, 0});
  EXPECT_FALSE(roc_auc(p, 2));
  EXPECT_NEAR(*mean_roc_auc(p), 1, eps);  // of the other two
  EXPECT_FALSE(mean_roc_auc(predictions_of({{.2, .8}}, {1})));
}

TEST(Metrics, CalibrationErrorByHand) {
  // Two bins. Upper: .9 right, .7 wrong: |1 - 1.6| = .6. Lower holds a confidence of exactly .5: |1 - .5| =
  // .5.
  const Predictions p = predictions_of({{.9, .1}, {.3, .7}, {.5, .5}}, {0, 0, 0});
  EXPECT_NEAR(calibration_error(p, 2), (.6 + .5) / 3, 1e-9);  // .5 comes from log and exp
  EXPECT_THROW(calibration_error(p, 0), std::invalid_argument);
}

}  // namespace
}  // namespace roentgen::model

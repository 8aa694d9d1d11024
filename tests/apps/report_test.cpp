#include "apps/report.h"

#include <gmock/gmock.h>

#include <cmath>

#include "apps/console.h"

namespace roentgen::apps {
namespace {

model::Predictions predictions_of(const std::vector<std::int32_t>& labels,
                                  const std::vector<std::int32_t>& predicted) {
  model::Predictions p;
  p.classes = 3;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::vector<double> logits(3, 0.0);
    logits[static_cast<std::size_t>(predicted[i])] = 2;
    p.append(logits, std::vector<std::int32_t>{labels[i]});
  }
  return p;
}

// The example of scikit-learn's documentation of classification_report.
TEST(Report, HasScikitLearnsLayout) {
  EXPECT_EQ(classification_report(predictions_of({0, 1, 2, 2, 2}, {0, 0, 2, 2, 1}),
                                  {"class 0", "class 1", "class 2"}),
            R"(              precision    recall  f1-score   support

     class 0       0.50      1.00      0.67         1
     class 1       0.00      0.00      0.00         1
     class 2       1.00      0.67      0.80         3

    accuracy                           0.60         5
   macro avg       0.50      0.56      0.49         5
weighted avg       0.70      0.60      0.61         5
)");
}

TEST(Report, ConfusionInCountsAndShares) {
  EXPECT_EQ(confusion_report(predictions_of({0, 2, 2, 2}, {0, 2, 2, 1}), {"a", "bé", "longer than"}),
            R"(true \ predicted        a       bé  longer than
               a        1        0            0
              bé        0        0            0
     longer than        0        1            2

true \ predicted        a       bé  longer than
               a   100.0%     0.0%         0.0%
              bé        -        -            -
     longer than     0.0%    33.3%        66.7%
)");
}

TEST(Report, WhatIsUndefinedIsNull) {
  model::Predictions none;
  none.classes = 2;
  const auto json = report_json(none, {"a", "b"});
  EXPECT_EQ(json["n"], 0);
  for (const char* key : {"accuracy", "loss", "auc", "ece"}) EXPECT_TRUE(json[key].is_null()) << key;
  EXPECT_EQ(json["per_class"]["a"]["support"], 0);
}

TEST(Console, CsvQuotesWhatNeedsIt) {
  EXPECT_EQ(csv_row({"a b", "c,d", "say \"x\"", "two\nlines", ""}),
            "a b,\"c,d\",\"say \"\"x\"\"\",\"two\nlines\",\n");
}

TEST(Console, Bytes) {
  EXPECT_EQ(format_bytes(12), "12 bytes");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(3.0 * (1 << 30)), "3.0 GiB");
}

}  // namespace
}  // namespace roentgen::apps

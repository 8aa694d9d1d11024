// What a classifier got right, and how sure it was. All of it in double, on the host.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace roentgen::model {

// Position of the largest value, the first among equals; 0 for an empty row.
std::int32_t argmax(std::span<const double> row);

// Running loss and accuracy of an epoch, weighted by samples as Keras reports them.
struct RunningMetrics {
  double loss_sum = 0;
  std::int64_t correct = 0, samples = 0;

  void add(double mean_loss, std::int64_t batch_correct, std::int64_t batch_samples);
  double loss() const;      // NaN without samples
  double accuracy() const;  // NaN without samples
};

// What a network said of n samples, in their order.
struct Predictions {
  std::int64_t classes = 0;
  std::vector<double> probabilities;  // [n, classes]
  std::vector<std::int32_t> labels;   // [n]
  std::vector<double> losses;         // [n], cross-entropy of each sample, computed from its logits

  std::int64_t size() const { return static_cast<std::int64_t>(labels.size()); }
  std::span<const double> row(std::int64_t i) const;
  std::int32_t predicted(std::int64_t i) const { return argmax(row(i)); }
  // Appends logits [n, classes] with their labels [n]; `label_smoothing` as engine::cross_entropy has it.
  // Throws std::invalid_argument for sizes that do not fit or a label out of range.
  void append(std::span<const double> logits, std::span<const std::int32_t> new_labels,
              double label_smoothing = 0);
  // Those samples, in that order.
  Predictions subset(std::span<const std::int64_t> indices) const;
};

double mean_loss(const Predictions& predictions);  // NaN without samples
std::int64_t correct_count(const Predictions& predictions);
double accuracy(const Predictions& predictions);  // NaN without samples

// Counts [true class][predicted class].
using ConfusionMatrix = std::vector<std::vector<std::int64_t>>;
ConfusionMatrix confusion_matrix(const Predictions& predictions);

// 0 where a quotient has no denominator, as scikit-learn reports it.
struct ClassScores {
  double precision = 0, recall = 0, f1 = 0;
  std::int64_t support = 0;
};
std::vector<ClassScores> class_scores(const ConfusionMatrix& matrix);
ClassScores macro_average(const std::vector<ClassScores>& scores);
ClassScores weighted_average(const std::vector<ClassScores>& scores);  // by support

struct Interval {
  double low = 0, high = 1;
};
// Wilson's score interval (Wilson 1927) of a share; z = 1.96 gives 95 %. [0, 1] for n = 0.
Interval wilson_interval(std::int64_t successes, std::int64_t n, double z = 1.959963984540054);

// Area under the ROC curve of one class against the others, ties counting half (Mann and Whitney's U).
// Nothing where either side is empty.
std::optional<double> roc_auc(const Predictions& predictions, std::int32_t positive);
// Mean over the classes that have one.
std::optional<double> mean_roc_auc(const Predictions& predictions);

// Expected calibration error (Guo et al. 2017): |accuracy - confidence| over equal bins of confidence
// (low, high], weighted by their share of samples. NaN without samples.
double calibration_error(const Predictions& predictions, int bins = 15);

}  // namespace roentgen::model

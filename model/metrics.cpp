#include "model/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace roentgen::model {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

double quotient(double a, double b) {
  return b == 0 ? 0.0 : a / b;
}

}  // namespace

std::int32_t argmax(std::span<const double> row) {
  return static_cast<std::int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

void RunningMetrics::add(double mean_loss, std::int64_t batch_correct, std::int64_t batch_samples) {
  loss_sum += mean_loss * static_cast<double>(batch_samples);
  correct += batch_correct;
  samples += batch_samples;
}

double RunningMetrics::loss() const {
  return samples ? loss_sum / static_cast<double>(samples) : nan;
}

double RunningMetrics::accuracy() const {
  return samples ? static_cast<double>(correct) / static_cast<double>(samples) : nan;
}

std::span<const double> Predictions::row(std::int64_t i) const {
  return std::span(probabilities)
      .subspan(static_cast<std::size_t>(i * classes), static_cast<std::size_t>(classes));
}

void Predictions::append(std::span<const double> logits, std::span<const std::int32_t> new_labels,
                         double label_smoothing) {
  const auto c = static_cast<std::size_t>(classes);
  if (classes < 1 || logits.size() != new_labels.size() * c) {
    throw std::invalid_argument(fmt::format("Predictions: {} logits for {} labels of {} classes",
                                            logits.size(), new_labels.size(), classes));
  }
  for (std::size_t i = 0; i < new_labels.size(); ++i) {
    const std::int32_t label = new_labels[i];
    if (label < 0 || label >= classes) {
      throw std::invalid_argument(fmt::format("Predictions: label {} of {} classes", label, classes));
    }
    const auto x = logits.subspan(i * c, c);
    const double largest = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (const double v : x) sum += std::exp(v - largest);
    const double log_sum = largest + std::log(sum);
    double all = 0;
    for (const double v : x) {
      probabilities.push_back(std::exp(v - log_sum));
      all += log_sum - v;
    }
    losses.push_back((1 - label_smoothing) * (log_sum - x[static_cast<std::size_t>(label)]) +
                     label_smoothing / static_cast<double>(classes) * all);
    labels.push_back(label);
  }
}

Predictions Predictions::subset(std::span<const std::int64_t> indices) const {
  Predictions part;
  part.classes = classes;
  for (const std::int64_t i : indices) {
    const auto p = row(i);
    part.probabilities.insert(part.probabilities.end(), p.begin(), p.end());
    part.labels.push_back(labels.at(static_cast<std::size_t>(i)));
    part.losses.push_back(losses.at(static_cast<std::size_t>(i)));
  }
  return part;
}

double mean_loss(const Predictions& predictions) {
  if (predictions.size() == 0) return nan;
  return std::accumulate(predictions.losses.begin(), predictions.losses.end(), 0.0) /
         static_cast<double>(predictions.size());
}

std::int64_t correct_count(const Predictions& predictions) {
  std::int64_t correct = 0;
  for (std::int64_t i = 0; i < predictions.size(); ++i) {
    correct += predictions.predicted(i) == predictions.labels[static_cast<std::size_t>(i)];
  }
  return correct;
}

double accuracy(const Predictions& predictions) {
  if (predictions.size() == 0) return nan;
  return static_cast<double>(correct_count(predictions)) / static_cast<double>(predictions.size());
}

ConfusionMatrix confusion_matrix(const Predictions& predictions) {
  const auto c = static_cast<std::size_t>(predictions.classes);
  ConfusionMatrix matrix(c, std::vector<std::int64_t>(c, 0));
  for (std::int64_t i = 0; i < predictions.size(); ++i) {
    const auto label = static_cast<std::size_t>(predictions.labels[static_cast<std::size_t>(i)]);
    ++matrix[label][static_cast<std::size_t>(predictions.predicted(i))];
  }
  return matrix;
}

std::vector<ClassScores> class_scores(const ConfusionMatrix& matrix) {
  std::vector<ClassScores> scores;
  for (std::size_t k = 0; k < matrix.size(); ++k) {
    std::int64_t predicted = 0;
    for (const auto& row : matrix) predicted += row[k];
    ClassScores s;
    s.support = std::accumulate(matrix[k].begin(), matrix[k].end(), std::int64_t{0});
    const auto hits = static_cast<double>(matrix[k][k]);
    s.precision = quotient(hits, static_cast<double>(predicted));
    s.recall = quotient(hits, static_cast<double>(s.support));
    s.f1 = quotient(2 * hits, static_cast<double>(predicted + s.support));
    scores.push_back(s);
  }
  return scores;
}

namespace {

template <class Weight>
ClassScores average(const std::vector<ClassScores>& scores, Weight&& weight) {
  ClassScores mean;
  double total = 0;
  for (const ClassScores& s : scores) {
    const double w = weight(s);
    mean.precision += w * s.precision;
    mean.recall += w * s.recall;
    mean.f1 += w * s.f1;
    mean.support += s.support;
    total += w;
  }
  mean.precision = quotient(mean.precision, total);
  mean.recall = quotient(mean.recall, total);
  mean.f1 = quotient(mean.f1, total);
  return mean;
}

}  // namespace

ClassScores macro_average(const std::vector<ClassScores>& scores) {
  return average(scores, [](const ClassScores&) { return 1.0; });
}

ClassScores weighted_average(const std::vector<ClassScores>& scores) {
  return average(scores, [](const ClassScores& s) { return static_cast<double>(s.support); });
}

Interval wilson_interval(std::int64_t successes, std::int64_t n, double z) {
  if (n == 0) return {};
  const auto count = static_cast<double>(n);
  const double p = static_cast<double>(successes) / count, z2 = z * z;
  const double center = (p + z2 / (2 * count)) / (1 + z2 / count);
  const double half = z / (1 + z2 / count) * std::sqrt(p * (1 - p) / count + z2 / (4 * count * count));
  // At p = 0 and p = 1 one end is exactly 0 or 1; rounding must not move it.
  return {successes == 0 ? 0.0 : center - half, successes == n ? 1.0 : center + half};
}

std::optional<double> roc_auc(const Predictions& predictions, std::int32_t positive) {
  const std::int64_t n = predictions.size();
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  const auto score = [&](std::int64_t i) { return predictions.row(i)[static_cast<std::size_t>(positive)]; };
  const auto is_positive = [&](std::int64_t i) {
    return predictions.labels[static_cast<std::size_t>(i)] == positive;
  };
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return score(a) < score(b); });

  // Pairs (positive above negative), walked in groups of equal score.
  double wins = 0;
  std::int64_t negatives = 0, positives = 0;
  for (auto group = order.begin(); group != order.end();) {
    const auto end = std::find_if(group + 1, order.end(), [&](auto i) { return score(i) != score(*group); });
    const std::int64_t up = std::count_if(group, end, is_positive), down = (end - group) - up;
    wins += static_cast<double>(up) * (static_cast<double>(negatives) + 0.5 * static_cast<double>(down));
    positives += up;
    negatives += down;
    group = end;
  }
  if (positives == 0 || negatives == 0) return std::nullopt;
  return wins / (static_cast<double>(positives) * static_cast<double>(negatives));
}

std::optional<double> mean_roc_auc(const Predictions& predictions) {
  double sum = 0;
  int count = 0;
  for (std::int32_t k = 0; k < predictions.classes; ++k) {
    if (const auto auc = roc_auc(predictions, k)) {
      sum += *auc;
      ++count;
    }
  }
  if (count == 0) return std::nullopt;
  return sum / count;
}

double calibration_error(const Predictions& predictions, int bins) {
  if (bins < 1) throw std::invalid_argument(fmt::format("calibration_error: {} bins", bins));
  if (predictions.size() == 0) return nan;
  std::vector<double> confidence(static_cast<std::size_t>(bins)), hits(static_cast<std::size_t>(bins));
  for (std::int64_t i = 0; i < predictions.size(); ++i) {
    const std::int32_t k = predictions.predicted(i);
    const double p = predictions.row(i)[static_cast<std::size_t>(k)];
    const auto bin =
        static_cast<std::size_t>(std::clamp(static_cast<int>(std::ceil(p * bins)) - 1, 0, bins - 1));
    confidence[bin] += p;
    hits[bin] += k == predictions.labels[static_cast<std::size_t>(i)];
  }
  double error = 0;
  for (std::size_t b = 0; b < confidence.size(); ++b) error += std::abs(hits[b] - confidence[b]);
  return error / static_cast<double>(predictions.size());
}

}  // namespace roentgen::model

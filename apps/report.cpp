#include "apps/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/file.h"

namespace roentgen::apps {

namespace {

using nlohmann::ordered_json;

// Characters, not bytes, of UTF-8.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string right(const std::string& text, std::size_t width) {
  const std::size_t have = width_of(text);
  return (have < width ? std::string(width - have, ' ') : "") + text;
}

std::size_t widest(const std::vector<std::string>& names, std::size_t least) {
  for (const std::string& name : names) least = std::max(least, width_of(name));
  return least;
}

ordered_json or_null(const std::optional<double>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

ordered_json to_json(const model::ClassScores& s) {
  return {{"precision", s.precision}, {"recall", s.recall}, {"f1", s.f1}, {"support", s.support}};
}

}  // namespace

std::string classification_report(const model::Predictions& predictions,
                                  const std::vector<std::string>& classes) {
  const auto scores = model::class_scores(model::confusion_matrix(predictions));
  const std::size_t width = widest(classes, std::string("weighted avg").size());
  const auto row = [&](const std::string& name, const model::ClassScores& s) {
    return fmt::format("{}  {:>9.2f} {:>9.2f} {:>9.2f} {:>9}\n", right(name, width), s.precision, s.recall,
                       s.f1, s.support);
  };
  std::string text = fmt::format("{}  {:>9} {:>9} {:>9} {:>9}\n\n", right("", width), "precision", "recall",
                                 "f1-score", "support");
  for (std::size_t k = 0; k < classes.size(); ++k) text += row(classes[k], scores[k]);
  text += fmt::format("\n{}  {:>9} {:>9} {:>9.2f} {:>9}\n", right("accuracy", width), "", "",
                      model::accuracy(predictions), predictions.size());
  text += row("macro avg", model::macro_average(scores));
  text += row("weighted avg", model::weighted_average(scores));
  return text;
}

std::string confusion_report(const model::Predictions& predictions, const std::vector<std::string>& classes) {
  const auto matrix = model::confusion_matrix(predictions);
  const std::size_t width = widest(classes, std::string("true \\ predicted").size());
  const auto table = [&](const auto& cell) {
    std::string text = right("true \\ predicted", width);
    for (const std::string& name : classes) text += "  " + right(name, 7);
    text += '\n';
    for (std::size_t k = 0; k < classes.size(); ++k) {
      text += right(classes[k], width);
      for (std::size_t j = 0; j < classes.size(); ++j) {
        text += "  " + right(cell(matrix[k], j), std::max<std::size_t>(7, width_of(classes[j])));
      }
      text += '\n';
    }
    return text;
  };
  const std::string counts = table([](const auto& row, std::size_t j) { return fmt::format("{}", row[j]); });
  const std::string shares = table([](const auto& row, std::size_t j) {
    std::int64_t sum = 0;
    for (const std::int64_t count : row) sum += count;
    return sum == 0 ? std::string("-")
                    : fmt::format("{:.1f}%", 100 * static_cast<double>(row[j]) / static_cast<double>(sum));
  });
  return counts + "\n" + shares;
}

std::string full_report(const model::Predictions& predictions, const std::vector<std::string>& names) {
  std::vector<std::string> classes;  // as they can stand on a line
  for (const std::string& name : names) classes.push_back(data::printable(std::string_view(name)));
  const std::int64_t n = predictions.size(), correct = model::correct_count(predictions);
  const auto interval = model::wilson_interval(correct, n);
  const auto auc = model::mean_roc_auc(predictions);
  std::string text =
      classification_report(predictions, classes) + "\n" + confusion_report(predictions, classes) + "\n";
  text +=
      fmt::format("accuracy           {:.1f}% ({} of {}), 95% interval {:.1f}% to {:.1f}% (Wilson)\n",
                  100 * model::accuracy(predictions), correct, n, 100 * interval.low, 100 * interval.high);
  text += fmt::format("loss               {:.4f}\n", model::mean_loss(predictions));
  text += auc ? fmt::format("ROC-AUC            {:.4f} (mean, one against the rest)\n", *auc)
              : std::string("ROC-AUC            undefined: images of one class only\n");
  for (std::size_t k = 0; auc && k < classes.size(); ++k) {
    const auto one = model::roc_auc(predictions, static_cast<std::int32_t>(k));
    text += fmt::format("  {}: {}\n", classes[k], one ? fmt::format("{:.4f}", *one) : "undefined");
  }
  text += fmt::format("calibration error  {:.4f} (15 bins)\n", model::calibration_error(predictions));
  return text;
}

ordered_json report_json(const model::Predictions& predictions, const std::vector<std::string>& classes) {
  ordered_json json;
  const std::int64_t n = predictions.size();
  const auto interval = model::wilson_interval(model::correct_count(predictions), n);
  json["accuracy"] = n ? ordered_json(model::accuracy(predictions)) : ordered_json();
  json["accuracy_interval"] = {interval.low, interval.high};
  json["loss"] = n ? ordered_json(model::mean_loss(predictions)) : ordered_json();
  json["n"] = n;
  json["auc"] = or_null(model::mean_roc_auc(predictions));
  json["ece"] = n ? ordered_json(model::calibration_error(predictions)) : ordered_json();
  json["classes"] = classes;
  const auto matrix = model::confusion_matrix(predictions);
  json["confusion_matrix"] = matrix;
  const auto scores = model::class_scores(matrix);
  json["per_class"] = ordered_json::object();
  for (std::size_t k = 0; k < classes.size(); ++k) {
    ordered_json entry = to_json(scores[k]);
    entry["auc"] = or_null(model::roc_auc(predictions, static_cast<std::int32_t>(k)));
    json["per_class"][classes[k]] = std::move(entry);
  }
  json["macro_avg"] = to_json(model::macro_average(scores));
  json["weighted_avg"] = to_json(model::weighted_average(scores));
  return json;
}

}  // namespace roentgen::apps

// How good predictions are, as text and as JSON.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "model/metrics.h"

namespace roentgen::apps {

// scikit-learn's classification_report, with its layout.
std::string classification_report(const model::Predictions& predictions,
                                  const std::vector<std::string>& classes);

// Rows are the true classes; counts, then shares of each row.
std::string confusion_report(const model::Predictions& predictions, const std::vector<std::string>& classes);

// Both, with accuracy and its interval, loss, AUC and calibration error.
std::string full_report(const model::Predictions& predictions, const std::vector<std::string>& classes);

// {accuracy, accuracy_interval, loss, n, auc, ece, classes, confusion_matrix, per_class}; what is undefined
// is null.
nlohmann::ordered_json report_json(const model::Predictions& predictions,
                                   const std::vector<std::string>& classes);

}  // namespace roentgen::apps

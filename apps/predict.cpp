// roentgen predict
#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "apps/classifier.h"
#include "apps/command.h"
#include "apps/commands.h"
#include "apps/console.h"
#include "apps/errors.h"
#include "data/error.h"
#include "data/file.h"
#include "data/image.h"
#include "data/parallel.h"
#include "model/trainer.h"

namespace roentgen::apps {

namespace fs = std::filesystem;

namespace {

using nlohmann::ordered_json;

constexpr const char* examples = R"(Examples:
  roentgen predict --weights runs/first/best.safetensors chest.png
  roentgen predict --weights runs/first/best.safetensors 'xrays/test/*/*.png' --topk 1 --csv)";

struct PredictArgs {
  std::string weights;
  std::vector<std::string> paths;
  std::int64_t batch_size = 32, topk = 0;
  DeviceArgs device;
  int workers = 0;
  bool json = false, csv = false;

  void add_to(Options& options) {
    options.positional("paths", paths, "Images, folders of images, or patterns such as 'scans/*.png'");
    options.add("--weights", weights, "Checkpoint of a training run");
    options.add("-k,--topk", topk, "Only the so many most probable classes, 0 for all")
        ->check(between(0, 1 << 20));
    options.add("-b,--batch-size", batch_size, "Images at a time")->check(between(1, 1 << 20));
    device.add_to(options);
    options.add("-j,--workers", workers, "Threads that decode images, 0 for all processors")
        ->check(between(0, 1024));
    options.flag("--json", json, "One JSON array");
    options.flag("--csv", csv, "Rows of CSV: file, predicted class, a column per class (all of them)");
  }
};

// All files below a folder, sorted; hidden ones left out. Throws data::DataError if not all can be listed.
std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const bool hidden = it->path().filename().native().front() == '.';
    if (hidden && it->is_directory()) it.disable_recursion_pending();
    if (!hidden && !it->is_directory()) files.push_back(it->path().string());
  }
  if (error) {
    throw data::DataError(
        fmt::format("cannot list all of the folder '{}': {}", data::printable(folder), error.message()));
  }
  std::sort(files.begin(), files.end());
  return files;
}

// The files that a path stands for, in order; a pattern without match stands for itself, and will fail.
std::vector<std::string> expand(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  std::error_code error;  // of a path that may not be looked at; to read it will fail and say why
  const auto add = [&](const std::string& path) {
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      return;
    }
    const auto below = files_below(path);
    files.insert(files.end(), below.begin(), below.end());
  };
  for (const std::string& path : paths) {
    if (fs::exists(path, error) || path.find_first_of("*?[") == std::string::npos) {
      add(path);
      continue;
    }
    glob_t found = {};
    const int status = glob(path.c_str(), 0, nullptr, &found);
    if (status == 0) {
      for (std::size_t i = 0; i < found.gl_pathc; ++i) add(found.gl_pathv[i]);
    } else {
      files.push_back(path);
    }
    globfree(&found);
  }
  return files;
}

struct Result {
  std::string file;
  std::vector<double> probabilities;  // empty where it failed
  std::string error;

  // Classes from the most probable down, the first of equals first.
  std::vector<std::size_t> ranking() const {
    std::vector<std::size_t> order(probabilities.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return probabilities[a] > probabilities[b]; });
    return order;
  }
};

// Decodes files[first, last) on several threads and classifies those that could be read in one batch.
std::vector<Result> classify(const Classifier& classifier, std::span<const std::string> files, int workers) {
  const auto bytes =
      static_cast<std::size_t>(classifier.image_size) * static_cast<std::size_t>(classifier.image_size) * 3;
  std::vector<Result> results(files.size());
  std::vector<std::uint8_t> pixels(files.size() * bytes);
  data::parallel_for(std::ssize(files), workers, [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    results[at].file = files[at];
    try {
      data::resize(data::decode_image(fs::path(files[at])), classifier.image_size, classifier.image_size,
                   classifier.resize, std::span(pixels).subspan(at * bytes, bytes));
    } catch (const data::DataError& error) {
      results[at].error = error.what();
    }
  });

  std::vector<std::size_t> good;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!results[i].error.empty()) continue;
    if (good.size() != i)
      std::copy_n(pixels.begin() + static_cast<std::ptrdiff_t>(i * bytes), bytes,
                  pixels.begin() + static_cast<std::ptrdiff_t>(good.size() * bytes));
    good.push_back(i);
  }
  if (good.empty()) return results;
  const auto input =
      model::to_input(classifier.net, std::span(pixels).first(good.size() * bytes), std::ssize(good));
  const std::vector<double> probabilities = classifier.net.probabilities(input).to_doubles();
  const std::size_t classes = classifier.classes.size();
  for (std::size_t i = 0; i < good.size(); ++i) {
    const auto row = std::span(probabilities).subspan(i * classes, classes);
    results[good[i]].probabilities.assign(row.begin(), row.end());
    if (std::any_of(row.begin(), row.end(), [](double p) { return !std::isfinite(p); })) {
      throw model::CheckpointError(
          fmt::format("the network gives probabilities that are not finite for '{}'; use another checkpoint",
                      results[good[i]].file));
    }
  }
  return results;
}

std::size_t shown_classes(const PredictArgs& args, std::size_t classes) {
  return args.topk == 0 ? classes : std::min(classes, static_cast<std::size_t>(args.topk));
}

std::string as_text(const Result& result, const Classifier& classifier, std::size_t shown) {
  if (!result.error.empty()) return "";
  std::string text = data::printable(std::string_view(result.file)) + ":";
  const auto ranking = result.ranking();
  for (std::size_t i = 0; i < shown; ++i) {
    text += fmt::format("  {} {:.1f}%", data::printable(std::string_view(classifier.classes[ranking[i]])),
                        100 * result.probabilities[ranking[i]]);
  }
  return text + "\n";
}

std::string as_csv(const Result& result, const Classifier& classifier) {
  if (!result.error.empty()) return "";
  std::vector<std::string> fields = {result.file, classifier.classes[result.ranking().front()]};
  for (const double p : result.probabilities) fields.push_back(fmt::format("{:.9g}", p));
  return csv_row(fields);
}

ordered_json as_json(const Result& result, const Classifier& classifier, std::size_t shown) {
  ordered_json json = {{"file", result.file}};
  if (!result.error.empty()) {
    json["error"] = result.error;
    return json;
  }
  const auto ranking = result.ranking();
  json["class"] = classifier.classes[ranking.front()];
  json["probabilities"] = ordered_json::object();
  for (std::size_t i = 0; i < shown; ++i) {
    json["probabilities"][classifier.classes[ranking[i]]] = result.probabilities[ranking[i]];
  }
  return json;
}

void predict(const PredictArgs& args) {
  if (args.weights.empty()) throw UsageError("predict needs --weights FILE, a checkpoint of a training run");
  if (args.paths.empty()) throw UsageError("predict needs images, folders or patterns to look at");
  if (args.json && args.csv) throw UsageError("--json and --csv exclude each other");
  const Classifier classifier = load_classifier(args.weights, args.device);
  const std::size_t shown = shown_classes(args, classifier.classes.size());
  const std::vector<std::string> files = expand(args.paths);
  if (files.empty()) throw data::DataError("there are no files in the given folders");

  if (args.csv) {
    std::vector<std::string> header = {"file", "predicted"};
    header.insert(header.end(), classifier.classes.begin(), classifier.classes.end());
    print(csv_row(header));
  }
  ordered_json all = ordered_json::array();
  std::size_t failed = 0;
  const auto batch = static_cast<std::size_t>(args.batch_size);
  for (std::size_t first = 0; first < files.size(); first += batch) {
    const auto part = std::span(files).subspan(first, std::min(batch, files.size() - first));
    std::string text;
    for (const Result& result : classify(classifier, part, args.workers)) {
      if (!result.error.empty()) {
        ++failed;
        note("roentgen: " + result.error);
      }
      if (args.json) {
        all.push_back(as_json(result, classifier, shown));
      } else {
        text += args.csv ? as_csv(result, classifier) : as_text(result, classifier, shown);
      }
    }
    print(text);
  }
  if (args.json) print_json(all);
  note(not_for_diagnosis);
  if (failed > 0) {
    throw data::DataError(
        fmt::format("{} of {} files could not be read; see the reasons above", failed, files.size()));
  }
}

}  // namespace

void add_predict(CLI::App& program) {
  add_command<PredictArgs>(program, "predict", "Classify images with a trained network", examples,
                           [](const PredictArgs& args, const Options&) { predict(args); });
}

}  // namespace roentgen::apps

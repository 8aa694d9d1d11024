// roentgen evaluate
#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

#include "apps/batches.h"
#include "apps/classifier.h"
#include "apps/command.h"
#include "apps/commands.h"
#include "apps/console.h"
#include "apps/errors.h"
#include "apps/report.h"
#include "data/dataset.h"
#include "model/atomic_file.h"

namespace roentgen::apps {

namespace {

using nlohmann::ordered_json;

constexpr const char* examples = R"(Examples:
  roentgen evaluate --weights runs/first/best.safetensors --data xrays
  roentgen evaluate --weights runs/first/best.safetensors --data xrays/test --json --predictions test.csv)";

struct EvaluateArgs {
  std::string weights, data, train_data, predictions;
  std::int64_t batch_size = 32;
  DeviceArgs device;
  int workers = 0;
  std::uint64_t memory_budget = std::uint64_t{2} << 30;
  std::string on_bad_image = "error";
  bool json = false;

  void add_to(Options& options) {
    options.add("--weights", weights, "Checkpoint of a training run");
    options.add("--data", data, "Folder with test/CLASS/*, or with CLASS/*");
    options.add("--train-data", train_data, "Folder trained on, to leave out images that are in both");
    options.add("--predictions", predictions, "Write a CSV file with the probabilities of every image");
    options.add("-b,--batch-size", batch_size, "Images at a time")->check(between(1, 1 << 20));
    device.add_to(options);
    options.add("-j,--workers", workers, "Threads that decode images, 0 for all processors")
        ->check(between(0, 1024));
    options
        .add("--memory-budget", memory_budget,
             "Memory for decoded images, 4GB for example; more streams from disk")
        ->transform(CLI::AsSizeValue(false))
        ->option_text("SIZE [2GB]");
    options.add("--on-bad-image", on_bad_image, "What a broken image does: error or skip")
        ->check(CLI::IsMember({"error", "skip"}));
    options.flag("--json", json, "One JSON object");
  }

  data::OnBadImage policy() const {
    return on_bad_image == "skip" ? data::OnBadImage::skip : data::OnBadImage::error;
  }
};

void write_predictions(const std::string& path, const model::Predictions& predictions,
                       const data::ImageFolder& folder, const std::vector<std::string>& classes) {
  std::vector<std::string> header = {"file", "label", "predicted"};
  header.insert(header.end(), classes.begin(), classes.end());
  model::AtomicFile file(path);
  file.write(csv_row(header));
  for (std::int64_t i = 0; i < predictions.size(); ++i) {
    const data::Sample& sample = folder.samples[static_cast<std::size_t>(i)];
    std::vector<std::string> fields = {sample.name, classes[static_cast<std::size_t>(sample.label)],
                                       classes[static_cast<std::size_t>(predictions.predicted(i))]};
    for (const double p : predictions.row(i)) fields.push_back(fmt::format("{:.9g}", p));
    file.write(csv_row(fields));
  }
  file.commit();
}

// Which samples the network has not seen, and the names of those it has.
struct Leaks {
  bool known = false;  // whether the training images are
  std::vector<std::int64_t> clean;
  std::vector<std::string> leaked;
};

Leaks find_leaks(const EvaluateArgs& args, const Classifier& classifier, const data::ImageFolder& folder) {
  auto seen = classifier.seen_images();
  if (!args.train_data.empty()) {
    const auto train = data::load_split(args.train_data, data::Split::train, args.policy(), args.workers);
    for (const data::Sample& sample : train.samples) seen.insert(sample.hash);
  }
  Leaks leaks{.known = !seen.empty(), .clean = {}, .leaked = {}};
  for (std::size_t i = 0; i < folder.samples.size(); ++i) {
    if (seen.contains(folder.samples[i].hash)) {
      leaks.leaked.push_back(folder.samples[i].name);
    } else {
      leaks.clean.push_back(static_cast<std::int64_t>(i));
    }
  }
  return leaks;
}

void evaluate(const EvaluateArgs& args) {
  if (args.weights.empty()) throw UsageError("evaluate needs --weights FILE, a checkpoint of a training run");
  if (args.data.empty()) throw UsageError("evaluate needs --data DIR, a folder with one folder per class");
  const Classifier classifier = load_classifier(args.weights, args.device);
  const data::Dataset dataset(
      data::match_classes(data::load_split(args.data, data::Split::test, args.policy(), args.workers),
                          classifier.classes, data::MissingClass::allow),
      {.height = classifier.image_size,
       .width = classifier.image_size,
       .resize = classifier.resize,
       .on_bad_image = args.policy(),
       .memory_budget = static_cast<std::int64_t>(args.memory_budget),
       .workers = args.workers});
  for (const auto& file : dataset.folder().skipped) note(fmt::format("roentgen: skipped: {}", file.reason));

  LoaderSource source(dataset, {.batch_size = args.batch_size, .workers = args.workers},
                      sorted_order(dataset.size()));
  const model::Predictions predictions = model::predict(classifier.net, source);
  if (!std::isfinite(model::mean_loss(predictions))) {
    throw model::CheckpointError(fmt::format(
        "the network in '{}' gives outputs that are not finite; use another checkpoint", args.weights));
  }
  if (!args.predictions.empty()) {
    write_predictions(args.predictions, predictions, dataset.folder(), classifier.classes);
  }

  const Leaks leaks = find_leaks(args, classifier, dataset.folder());
  const model::Predictions clean = predictions.subset(leaks.clean);
  if (args.json) {
    ordered_json json = report_json(predictions, classifier.classes);
    json["skipped"] = dataset.folder().skipped.size();
    json["leaked"] = leaks.known ? ordered_json(leaks.leaked) : ordered_json();
    json["without_leaked"] = leaks.known ? report_json(clean, classifier.classes) : ordered_json();
    print_json(json);
  } else {
    std::string text = full_report(predictions, classifier.classes);
    if (!leaks.known) {
      text += "\nThe training images are not known; with --train-data DIR those among these are left out.\n";
    } else if (leaks.leaked.empty()) {
      text += "\nNone of these images was seen in training or validation.\n";
    } else {
      text +=
          fmt::format("\n{} of these images were seen in training or validation (byte-identical files):\n",
                      leaks.leaked.size());
      for (const std::string& name : leaks.leaked) text += fmt::format("  {}\n", name);
      text += clean.size() == 0 ? std::string("None is left without them.\n")
                                : "Without them:\n\n" + full_report(clean, classifier.classes);
    }
    print(text);
  }
  note(not_for_diagnosis);
}

}  // namespace

void add_evaluate(CLI::App& program) {
  add_command<EvaluateArgs>(program, "evaluate", "Measure a trained network on a folder of images", examples,
                            [](const EvaluateArgs& args, const Options&) { evaluate(args); });
}

}  // namespace roentgen::apps

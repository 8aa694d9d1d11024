// roentgen train
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <numeric>
#include <utility>

#include "apps/command.h"
#include "apps/commands.h"
#include "apps/console.h"
#include "apps/errors.h"
#include "apps/resume.h"
#include "apps/signals.h"
#include "apps/training_data.h"
#include "data/split.h"
#include "engine/parameters.h"
#include "kernels/cpu/parallel.h"
#include "model/csv_log.h"
#include "model/progress.h"

namespace roentgen::apps {

namespace {

using nlohmann::ordered_json;

constexpr const char* examples = R"(Examples:
  roentgen phantom --output xrays
  roentgen train --data xrays --output runs/first
  roentgen train --data xrays --epochs 50 --patience 8 --schedule cosine --class-weights balanced
  roentgen train --resume runs/first --epochs 40
  roentgen train --data xrays --init weights.safetensors --augment none --dropout 0 --no-shuffle)";

std::function<void(std::int64_t, std::int64_t)> decoding_progress(bool quiet) {
  return [shown = !quiet && redraws_lines()](std::int64_t done, std::int64_t total) {
    if (const int signal = stop_signal()) throw Interrupted(signal, "stopped before the training began");
    if (!shown || (done % 16 != 0 && done != total)) return;
    std::fputs(fmt::format("\rDecoding {}/{}{}", done, total, done == total ? "\n" : "").c_str(), stderr);
  };
}

// Bytes of everything a run writes: last and best checkpoint, each twice while it is replaced, and curves.
std::uint64_t room_needed(const model::Sequential& net, const engine::Optimizer& optimizer) {
  std::uint64_t weights = 0, state = 0;
  for (const auto& [name, tensor] : net.state()) weights += tensor.bytes();
  for (const auto& [name, tensor] : optimizer.state()) state += tensor.bytes();
  return 2 * (weights + state) + 2 * weights + (std::uint64_t{4} << 20);
}

// Of samples or of skipped files.
template <class Named>
ordered_json names_of(const std::vector<Named>& files) {
  ordered_json names = ordered_json::array();
  for (const Named& file : files) names.push_back(file.name);
  return names;
}

// One training, from resolved arguments to its result.
class Training {
 public:
  Training(TrainArgs& args, Options& options)
      : args_(args),
        resumed_(find_resume_point(args, options)),
        run_(output_folder(args, resumed_)),
        options_(options) {}

  void run();

 private:
  void check_output() const;
  ordered_json arguments_json(const TrainingFolders& folders, const engine::Device& device) const;
  void print_plan(const TrainingFolders& folders, const model::Sequential& net,
                  const engine::Device& device) const;
  model::CheckpointInfo checkpoint_info(const model::TrainState& state) const;
  void save(const std::filesystem::path& file, const model::TrainState& state, const model::Sequential& net,
            const engine::Optimizer* optimizer) const;
  void print_result(const model::TrainState& state, model::StopReason reason, double seconds) const;

  TrainArgs& args_;
  std::optional<ResumePoint> resumed_;
  RunFolder run_;
  const Options& options_;
  std::vector<std::string> classes_;
  nlohmann::json data_record_;
};

void Training::check_output() const {
  const bool may_hold_files = args_.exist_ok || args_.resume == "auto" ||
                              (resumed_ && std::filesystem::exists(run_.path) &&
                               std::filesystem::equivalent(run_.path, resumed_->folder.path));
  if (!may_hold_files) run_.require_new();
}

ordered_json Training::arguments_json(const TrainingFolders& folders, const engine::Device& device) const {
  ordered_json json;
  json["command"] = "train";
  json["arguments"] = options_.values();
  json["versions"] = {{"roentgen", ROENTGEN_VERSION}, {"compiler", __VERSION__}};
  json["device"] = {{"name", engine::to_string(device)},
                    {"precision", args_.device.precision},
                    {"threads", kernels::thread_count()}};
  json["started"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  json["classes"] = classes_;
  json["data"] = {{"hash", data_record_["hash"]},
                  {"class_counts", folders.all.class_counts()},
                  {"train_images", folders.train.samples.size()},
                  {"val_images", folders.val.samples.size()}};
  json["split"] = {{"train", names_of(folders.train.samples)}, {"val", names_of(folders.val.samples)}};
  json["skipped"] = names_of(folders.all.skipped);
  return json;
}

void Training::print_plan(const TrainingFolders& folders, const model::Sequential& net,
                          const engine::Device& device) const {
  const auto n = static_cast<std::int64_t>(folders.train.samples.size());
  const std::int64_t steps = (n + args_.batch_size - 1) / args_.batch_size;
  if (args_.json) return print_json(arguments_json(folders, device));
  print(net.summary("xray_cnn"));
  print(
      fmt::format("\nWould train on {} images and validate with {}, {} steps in {} epochs on {}, into '{}'\n",
                  n, folders.val.samples.size(), steps * args_.epochs, args_.epochs,
                  engine::to_string(device), run_.path.string()));
  print_json(options_.values());
}

model::CheckpointInfo Training::checkpoint_info(const model::TrainState& state) const {
  model::CheckpointInfo info;
  info.classes = classes_;
  info.preprocessing.image_size = args_.network.image_size;
  info.preprocessing.resize = args_.resize;
  info.seed = args_.seed;
  info.epoch = state.epoch();
  info.step_in_epoch = state.batch;
  info.global_step = state.step;
  if (const auto best = model::best_epoch(state.history, args_.monitored())) {
    const auto& metrics = state.history[*best];
    info.best_metric = args_.monitor == "val_loss" ? metrics.val_loss : metrics.val_accuracy;
  }
  info.arguments = {{"options", lasting_options(options_)}, {"data", data_record_}};
  info.metrics = model::to_json(state);
  return info;
}

void Training::save(const std::filesystem::path& file, const model::TrainState& state,
                    const model::Sequential& net, const engine::Optimizer* optimizer) const {
  model::require_finite_weights(net, state);
  model::save_checkpoint(file, checkpoint_info(state), net, optimizer);
}

void Training::print_result(const model::TrainState& state, model::StopReason reason, double seconds) const {
  const auto best = model::best_epoch(state.history, args_.monitored());
  const auto value = [](const std::optional<double>& v) { return v ? ordered_json(*v) : ordered_json(); };
  if (args_.json) {
    ordered_json json = {{"output", run_.path.string()},
                         {"epochs", state.epoch()},
                         {"steps", state.step},
                         {"stopped_early", reason == model::StopReason::early},
                         {"seconds", seconds}};
    if (!state.history.empty()) {
      const auto& last = state.history.back();
      json["loss"] = last.loss;
      json["accuracy"] = last.accuracy;
      json["val_loss"] = value(last.val_loss);
      json["val_accuracy"] = value(last.val_accuracy);
    }
    json["best_epoch"] = best ? ordered_json(*best + 1) : ordered_json();
    json["last"] = run_.last().string();
    json["best"] = best ? ordered_json(run_.best().string()) : ordered_json();
    return print_json(json);
  }
  std::string text = fmt::format("Trained {} epochs, {} steps, in {}", state.epoch(), state.step,
                                 model::format_duration(seconds));
  if (!state.history.empty()) {
    text += fmt::format(": loss {:.4f}, accuracy {:.1f}%", state.history.back().loss,
                        100 * state.history.back().accuracy);
  }
  if (reason == model::StopReason::early) {
    text += fmt::format("; stopped early, {} epochs without a better {}", args_.patience, args_.monitor);
  }
  text += '\n';
  if (best) {
    text += fmt::format("Best epoch {}: val_loss {:.4f}, val_accuracy {:.1f}%: {}\n", *best + 1,
                        *state.history[*best].val_loss, 100 * *state.history[*best].val_accuracy,
                        run_.best().string());
  }
  print(text + fmt::format("Last epoch: {}\n", run_.last().string()));
}

void Training::run() {
  args_.check();
  const auto begin = std::chrono::steady_clock::now();
  const engine::Device device = args_.device.open();
  check_output();

  TrainingFolders folders = load_training_folders(args_);
  classes_ = folders.all.classes;
  data_record_ = data_record(folders);
  if (resumed_) require_same_data(*resumed_, data_record_);

  model::Sequential net = args_.network.network(std::ssize(classes_));
  net.build(device, args_.device.dtype(), args_.seed);
  if (!args_.init.empty()) {
    const std::string layout = model::load_weights(net, args_.init);
    if (!args_.quiet) note(layout);
  }
  const auto optimizer = args_.make_optimizer(net.parameters());
  model::TrainState state;
  if (resumed_) {
    resumed_->checkpoint.restore(net);
    resumed_->checkpoint.restore(*optimizer);
    state = resumed_->state;
    if (state.epoch() >= args_.epochs) {
      note(fmt::format("roentgen: the run already has its {} epochs; train it on with more --epochs",
                       state.epoch()));
    }
  }

  const std::int64_t images = std::ssize(folders.train.samples);
  model::TrainOptions options{
      .epochs = args_.epochs,
      .learning_rate = args_.make_schedule((images + args_.batch_size - 1) / args_.batch_size),
      .seed = args_.seed,
      .augmentation = args_.augmentation(),
      .class_weights = {},
      .label_smoothing = args_.label_smoothing,
      .clip_norm = args_.clip_norm,
      .stop_signal = stop_signal};
  if (args_.class_weights == "balanced") {
    options.class_weights =
        data::class_weights(folders.train.labels(), static_cast<int>(folders.train.classes.size()));
  }
  if (args_.dry_run) return print_plan(folders, net, device);

  catch_stop_signals();
  run_.require_room(room_needed(net, *optimizer));
  ordered_json arguments = arguments_json(folders, device);
  // Files that are no images show when they are listed, broken images when they are decoded.
  std::vector<data::SkippedFile> skipped = folders.all.skipped;
  TrainingData data(std::move(folders), args_, decoding_progress(args_.quiet));
  for (const data::Dataset* set : {&data.train_set(), data.val_set()}) {
    if (set) skipped.insert(skipped.end(), set->folder().skipped.begin(), set->folder().skipped.end());
  }
  for (const data::SkippedFile& file : skipped) note(fmt::format("roentgen: skipped: {}", file.reason));
  arguments["skipped"] = names_of(skipped);
  if (!data.val_set() && args_.val_split > 0 && !args_.quiet) {
    note("roentgen: no class has two different images, so none is held out and no epoch is called the best");
  }
  if (resumed_) {
    run_.continue_from(resumed_->folder);
  } else {
    run_.clear();
  }
  run_.write_arguments(arguments);
  // In a folder of its own the run can be gone on with at once, and has a last state if nothing is left to
  // do.
  if (resumed_ && !std::filesystem::exists(run_.last())) save(run_.last(), state, net, optimizer.get());

  model::CsvLog log(run_.metrics(), run_.steps(), net.dtype() == engine::DType::float64 ? 17 : 9);
  model::CheckpointSaver saver(
      [&](const model::TrainState& s) { save(run_.last(), s, net, optimizer.get()); },
      [&](const model::TrainState& s) { save(run_.best(), s, net, nullptr); }, args_.monitored(),
      args_.save_every);
  std::vector<model::Callback*> callbacks = {&log, &saver};
  std::optional<model::Progress> progress;
  if (!args_.quiet) {
    callbacks.push_back(&progress.emplace(stderr, args_.epochs, redraws_lines(), likes_color()));
  }
  std::optional<model::EarlyStopping> early;
  if (args_.patience > 0) callbacks.push_back(&early.emplace(args_.patience, args_.monitored()));

  try {
    const auto result = model::fit(net, *optimizer, data.train(), data.val(), options, state, callbacks);
    progress.reset();
    if (result.reason == model::StopReason::signal) {
      throw Interrupted(result.signal, fmt::format("stopped by a signal after step {}; go on with: roentgen "
                                                   "train --resume '{}'",
                                                   state.step, run_.path.string()));
    }
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    print_result(state, result.reason, seconds);
  } catch (const model::Diverged& error) {
    if (!std::filesystem::exists(run_.last())) throw;
    throw model::Diverged(
        fmt::format("{}; the last good state is in '{}'", error.what(), run_.last().string()));
  }
}

}  // namespace

void add_train(CLI::App& program) {
  add_command<TrainArgs>(program, "train", "Train a network on a folder of images", examples,
                         [](TrainArgs& args, Options& options) { Training(args, options).run(); });
}

}  // namespace roentgen::apps

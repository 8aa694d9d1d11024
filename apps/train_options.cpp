#include "apps/train_options.h"

#include <fmt/format.h>

#include <set>

#include "apps/errors.h"

namespace roentgen::apps {

namespace {

const std::set<std::string> passing = {"data",    "output",        "name",       "init",         "resume",
                                       "threads", "workers",       "dry_run",    "exist_ok",     "quiet",
                                       "json",    "memory_budget", "save_every", "deterministic"};
const std::set<std::string> changeable = {"epochs", "patience", "device"};

}  // namespace

void TrainArgs::add_to(Options& options) {
  const CLI::Validator share = between(0.0, 0.999), positive = between(1, 1 << 30);
  options.add("--data", data, "Folder with train/CLASS/*, or with CLASS/*");
  options.add("--output", output, "Folder of the run [runs/NAME]");
  options.add("--name", name, "Name of the run [date and time]");
  options.add("--epochs", epochs, "Epochs to train")->check(positive);
  options.add("-b,--batch-size", batch_size, "Images per step")->check(positive);
  options.add("--lr", lr, "Learning rate")->check(at_least(0.0));
  options.add("--optimizer", optimizer, "adam, adamw or sgd")->check(CLI::IsMember({"adam", "adamw", "sgd"}));
  options.add("--beta1", beta1, "Adam's decay of the mean")->check(share);
  options.add("--beta2", beta2, "Adam's decay of the variance")->check(between(0.0, 0.999999999));
  options.add("--epsilon", epsilon, "Adam's epsilon [1e-7 as Keras, 1e-8 as PyTorch]")->check(at_least(0.0));
  options.add("--epsilon-mode", epsilon_mode, "keras: added before the bias correction; torch: after it")
      ->check(CLI::IsMember({"keras", "torch"}));
  options.add("--weight-decay", weight_decay, "Of adamw [0.004] and sgd [0]")->check(at_least(0.0));
  options.add("--momentum", momentum, "Of sgd [0]")->check(share);
  options.flag("--nesterov", nesterov, "Nesterov's momentum for sgd");
  options.add("--schedule", schedule, "Of the learning rate: constant, cosine, exponential or step")
      ->check(CLI::IsMember({"constant", "cosine", "exponential", "step"}));
  options.add("--warmup", warmup, "Steps over which the learning rate rises")->check(between(0, 1 << 30));
  options.add("--decay-epochs", decay_epochs, "Epochs per factor --decay-rate (exponential, step)")
      ->check(positive);
  options.add("--decay-rate", decay_rate, "Factor of the exponential and step schedules")
      ->check(between(1e-9, 1.0));
  options.add("--final-lr", final_lr, "Learning rate at the end of the cosine")->check(at_least(0.0));
  options.add("--clip-norm", clip_norm, "Largest norm of all gradients together, 0 for any")
      ->check(at_least(0.0));
  options.add("--val-split", val_split, "Share of the training images held out to choose the best epoch")
      ->check(share);
  options.add("--seed", seed, "Of everything that is drawn")->check(unsigned_number());
  network.add_to(options);
  device.add_to(options);
  options.add("-j,--workers", workers, "Threads that decode images, 0 for all processors")
      ->check(between(0, 1024));
  options.add("--augment", augment, "none, or keras: random affine maps as ImageDataGenerator draws them")
      ->check(CLI::IsMember({"none", "keras"}));
  options.add("--rotation", ranges.rotation, "Augmentation: largest turn in degrees")
      ->check(between(0.0, 180.0));
  options.add("--height-shift", ranges.height_shift, "Augmentation: largest shift, share of the height")
      ->check(between(0.0, 1.0));
  options.add("--width-shift", ranges.width_shift, "Augmentation: largest shift, share of the width")
      ->check(between(0.0, 1.0));
  options.add("--shear", ranges.shear, "Augmentation: largest shear in degrees")->check(between(0.0, 89.0));
  options.add("--zoom", ranges.zoom, "Augmentation: zooms between 1 - ZOOM and 1 + ZOOM")->check(share);
  options.flag("--no-flip", no_flip, "Augmentation: never mirror");
  options.add("--resize", resize, "nearest (as Keras loads images) or antialias")
      ->check(CLI::IsMember({"nearest", "antialias"}));
  options.add("--class-weights", class_weights, "balanced weighs the loss against the classes' sizes")
      ->check(CLI::IsMember({"none", "balanced"}));
  options.add("--sampling", sampling, "shuffle, or balanced: every class drawn equally often")
      ->check(CLI::IsMember({"shuffle", "balanced"}));
  options.add("--label-smoothing", label_smoothing, "Share of each label spread over all classes")
      ->check(share);
  options.flag("--no-shuffle", no_shuffle, "Train in the sorted order of the files");
  options.add("--init", init, "Start from the weights in this safetensors file");
  options
      .add("--resume", resume,
           "Go on with a run: its folder or a checkpoint; without value OUTPUT's last checkpoint; auto: "
           "that one if it is there, else a new run")
      ->expected(0, 1)
      ->default_str("last")
      ->option_text("[PATH|auto]");
  options.add("--patience", patience, "Stop after so many epochs without a better one, 0 for never")
      ->check(between(0, 1 << 30));
  options.add("--monitor", monitor, "What makes an epoch the best: val_loss or val_accuracy")
      ->check(CLI::IsMember({"val_loss", "val_accuracy"}));
  options.add("--save-every", save_every, "Also save a checkpoint every so many steps, 0 for never")
      ->check(between(0, 1 << 30));
  options.flag("--exist-ok", exist_ok, "Overwrite the run in OUTPUT");
  options
      .add("--memory-budget", memory_budget,
           "Memory for decoded images, 4GB for example; more streams from disk")
      ->transform(CLI::AsSizeValue(false))
      ->option_text("SIZE [2GB]");
  options.add("--on-bad-image", on_bad_image, "What a broken image does: error or skip")
      ->check(CLI::IsMember({"error", "skip"}));
  options.flag("--dry-run", dry_run, "Check everything and print the plan, but do not train");
  options.flag("--quiet", quiet, "No progress on stderr");
  options.flag("--json", json, "The result as one JSON object");
  options.flag("--deterministic", deterministic, "Always on: the same seed gives the same bits");
}

void TrainArgs::check() const {
  const auto refuse = [](const std::string& sentence) { throw UsageError(sentence); };
  if (data.empty()) refuse("train needs --data DIR, a folder with one folder of images per class");
  if (optimizer != "sgd" && (momentum || nesterov)) {
    refuse(fmt::format("--momentum and --nesterov are for --optimizer sgd, not for {}", optimizer));
  }
  if (nesterov && momentum.value_or(0) == 0) refuse("--nesterov needs a --momentum above 0");
  if (optimizer == "adam" && weight_decay) refuse("--weight-decay is for --optimizer adamw or sgd, not adam");
  if (epsilon && *epsilon == 0) refuse("--epsilon takes a number above 0");
  if (optimizer == "sgd" && epsilon) refuse("--epsilon is for --optimizer adam or adamw, not sgd");
  if (no_shuffle && sampling == "balanced") refuse("--no-shuffle and --sampling balanced exclude each other");
  if (val_split == 0 && patience > 0) {
    refuse("--patience needs validation images; give a --val-split above 0");
  }
  if (!init.empty() && !resume.empty()) refuse("--init and --resume exclude each other");
}

std::unique_ptr<engine::Optimizer> TrainArgs::make_optimizer(const engine::Parameters& parameters) const {
  const bool torch = epsilon_mode == "torch";
  const engine::AdamOptions adam{.beta1 = beta1,
                                 .beta2 = beta2,
                                 .epsilon = epsilon.value_or(torch ? 1e-8 : 1e-7),
                                 .epsilon_after_correction = torch};
  if (optimizer == "adam") return std::make_unique<engine::Adam>(parameters, adam);
  if (optimizer == "adamw") {
    return std::make_unique<engine::AdamW>(parameters, weight_decay.value_or(0.004), adam);
  }
  return std::make_unique<engine::Sgd>(
      parameters,
      engine::SgdOptions{
          .momentum = momentum.value_or(0), .nesterov = nesterov, .weight_decay = weight_decay.value_or(0)});
}

engine::Schedule TrainArgs::make_schedule(std::int64_t steps_per_epoch) const {
  const std::int64_t total = epochs * steps_per_epoch, decay = decay_epochs * steps_per_epoch;
  if (warmup > total || (warmup == total && schedule == "cosine")) {
    throw UsageError(fmt::format("--warmup {} leaves nothing of the training's {} steps", warmup, total));
  }
  if (schedule == "cosine") return engine::cosine_schedule(lr, total, warmup, final_lr);
  engine::Schedule base = schedule == "exponential" ? engine::exponential_schedule(lr, decay, decay_rate)
                          : schedule == "step"      ? engine::step_schedule(lr, decay, decay_rate)
                                                    : engine::constant_schedule(lr);
  return warmup > 0 ? engine::with_warmup(std::move(base), warmup) : base;
}

std::optional<kernels::Augmentation> TrainArgs::augmentation() const {
  if (augment == "none") return std::nullopt;
  kernels::Augmentation drawn = ranges;
  drawn.horizontal_flip = !no_flip;
  return drawn;
}

model::Monitor TrainArgs::monitored() const {
  return monitor == "val_loss" ? model::Monitor::val_loss : model::Monitor::val_accuracy;
}

data::Resize TrainArgs::resizing() const {
  return resize == "nearest" ? data::Resize::nearest : data::Resize::antialias;
}

data::OnBadImage TrainArgs::bad_image_policy() const {
  return on_bad_image == "skip" ? data::OnBadImage::skip : data::OnBadImage::error;
}

nlohmann::json lasting_options(const Options& options) {
  nlohmann::json lasting = nlohmann::json::object();
  const auto values = options.values();
  for (const auto& [key, value] : values.items()) {
    if (!passing.contains(key)) lasting[key] = value;
  }
  return lasting;
}

void check_resumed_options(const Options& options, const nlohmann::json& checkpoint_options) {
  for (const auto& [key, value] : checkpoint_options.items()) {
    if (!options.given(key) || changeable.contains(key) || options.value(key) == value) continue;
    throw UsageError(fmt::format(
        "{} {} differs from the {} that the run to be resumed has; leave it out, or start a new run from its "
        "weights with --init",
        Options::flag_name(key), options.value(key).dump(), value.dump()));
  }
}

}  // namespace roentgen::apps

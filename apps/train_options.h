// The options of `roentgen train`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "apps/network_options.h"
#include "data/image.h"
#include "data/image_folder.h"
#include "engine/optimizer.h"
#include "engine/schedule.h"
#include "kernels/augment.h"
#include "model/history.h"

namespace roentgen::apps {

struct TrainArgs {
  std::string data, output, name;
  std::int64_t epochs = 20, batch_size = 16;
  double lr = 1e-3;
  std::string optimizer = "adam";
  double beta1 = 0.9, beta2 = 0.999;
  std::optional<double> epsilon, weight_decay, momentum;
  std::string epsilon_mode = "keras";
  bool nesterov = false;
  std::string schedule = "constant";
  std::int64_t warmup = 0, decay_epochs = 10;
  double decay_rate = 0.5, final_lr = 0, clip_norm = 0;
  double val_split = 0.2;
  std::uint64_t seed = 0;
  NetworkArgs network;
  DeviceArgs device;
  int workers = 0;
  std::string augment = "keras";
  kernels::Augmentation ranges;
  bool no_flip = false;
  std::string resize = "antialias";
  std::string class_weights = "none", sampling = "shuffle";
  double label_smoothing = 0;
  bool no_shuffle = false;
  std::string init, resume;
  std::int64_t patience = 0;
  std::string monitor = "val_loss";
  std::int64_t save_every = 0;
  bool exist_ok = false;
  std::uint64_t memory_budget = std::uint64_t{2} << 30;
  std::string on_bad_image = "error";
  bool dry_run = false, quiet = false, json = false, deterministic = false;

  void add_to(Options& options);
  // Throws UsageError for options that contradict each other.
  void check() const;

  std::unique_ptr<engine::Optimizer> make_optimizer(const engine::Parameters& parameters) const;
  engine::Schedule make_schedule(std::int64_t steps_per_epoch) const;
  std::optional<kernels::Augmentation> augmentation() const;
  model::Monitor monitored() const;
  data::Resize resizing() const;
  data::OnBadImage bad_image_policy() const;
};

// What a checkpoint keeps of the options: those that the result depends on. Where a run lies, how many
// workers it has and the like is not among them, so the same training gives the same bytes anywhere.
nlohmann::json lasting_options(const Options& options);

// Throws UsageError if an option was given that differs from what the checkpoint was trained with and may not
// change; only how long and where to train may.
void check_resumed_options(const Options& options, const nlohmann::json& checkpoint_options);

}  // namespace roentgen::apps

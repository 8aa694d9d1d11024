// A trained network as evaluate, predict and summary use it.
#pragma once

#include <filesystem>
#include <string>
#include <unordered_set>
#include <vector>

#include "apps/network_options.h"
#include "data/image.h"
#include "model/checkpoint.h"

namespace roentgen::apps {

struct Classifier {
  model::Sequential net;
  std::vector<std::string> classes;
  int image_size = 0;
  data::Resize resize = data::Resize::antialias;
  nlohmann::json arguments;  // of the training, as the checkpoint keeps them

  // Hashes (data::Sample::hash) of the images it was trained and validated with; empty where unknown.
  std::unordered_set<std::uint64_t> seen_images() const;
};

// Throws model::IoError or CheckpointError, also where the network is none for this program's images.
Classifier load_classifier(const std::filesystem::path& weights, const DeviceArgs& device);

}  // namespace roentgen::apps

#include "apps/classifier.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "apps/errors.h"

namespace roentgen::apps {

Classifier load_classifier(const std::filesystem::path& weights, const DeviceArgs& device) {
  const auto refuse = [&](const std::string& reason) {
    throw model::CheckpointError(fmt::format("cannot use '{}': {}", weights.string(), reason));
  };
  const engine::Device opened = device.open();
  std::error_code unknown;
  if (std::filesystem::is_directory(weights, unknown)) {
    refuse("it is a folder; give a file in it, such as best.safetensors");
  }
  const auto checkpoint = model::Checkpoint::load(weights);
  const model::CheckpointInfo& info = checkpoint.info();
  const model::Preprocessing& preprocessing = info.preprocessing;
  Classifier classifier{.net = checkpoint.network(opened, device.dtype()),
                        .classes = info.classes,
                        .image_size = static_cast<int>(preprocessing.image_size),
                        .resize = data::Resize::antialias,
                        .arguments = info.arguments};
  const engine::Shape& input = classifier.net.input_shape();
  if (input != engine::Shape{preprocessing.image_size, preprocessing.image_size, 3} ||
      preprocessing.channels != 3 || std::abs(preprocessing.scale * 255 - 1) > 1e-12) {
    refuse(fmt::format("it takes images {} scaled by {}, not square RGB images scaled by 1/255",
                       engine::to_string(input), preprocessing.scale));
  }
  if (classifier.net.output_shape() != engine::Shape{std::ssize(info.classes)}) {
    refuse(fmt::format("the network's output is {}, but {} classes are named",
                       engine::to_string(classifier.net.output_shape()), info.classes.size()));
  }
  if (preprocessing.resize == "nearest") {
    classifier.resize = data::Resize::nearest;
  } else if (preprocessing.resize != "antialias") {
    refuse(fmt::format("it resizes by '{}', which this version does not know", preprocessing.resize));
  }
  return classifier;
}

std::unordered_set<std::uint64_t> Classifier::seen_images() const {
  std::unordered_set<std::uint64_t> seen;
  const auto data = arguments.find("data");
  if (data == arguments.end() || !data->is_object()) return seen;
  for (const char* part : {"train_hashes", "val_hashes"}) {
    const auto hashes = data->find(part);
    if (hashes == data->end() || !hashes->is_array()) continue;
    for (const nlohmann::json& hash : *hashes) {
      if (!hash.is_string()) continue;
      const auto& text = hash.get_ref<const std::string&>();
      std::uint64_t value = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
      if (error == std::errc() && end == text.data() + text.size()) seen.insert(value);
    }
  }
  return seen;
}

}  // namespace roentgen::apps

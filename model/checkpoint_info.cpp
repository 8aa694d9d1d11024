#include "model/checkpoint_info.h"

#include "engine/check.h"

namespace roentgen::model {
namespace {

using nlohmann::json;

const json& field(const json& object, const char* key) {
  engine::require(object.is_object() && object.contains(key), "'{}' is missing", key);
  return object[key];
}

std::int64_t count(const json& object, const char* key) {
  const json& value = field(object, key);
  engine::require(value.is_number_unsigned() && value.get<std::uint64_t>() <= std::uint64_t{1} << 53,
                  "'{}' is not a count", key);
  return value.get<std::int64_t>();
}

std::string text(const json& object, const char* key) {
  engine::require(field(object, key).is_string(), "'{}' is not a text", key);
  return object[key].get<std::string>();
}

const json& dictionary(const json& object, const char* key) {
  engine::require(field(object, key).is_object(), "'{}' is not an object", key);
  return object[key];
}

Preprocessing preprocessing_from_json(const json& object) {
  Preprocessing result{.image_size = count(object, "image_size"),
                       .channels = count(object, "channels"),
                       .resize = text(object, "resize"),
                       .scale = 0};
  engine::require(field(object, "scale").is_number(), "'scale' is not a number");
  result.scale = object["scale"].get<double>();
  engine::require(result.image_size >= 1 && result.image_size <= 1 << 16, "'image_size' is not 1 to 65536");
  engine::require(result.channels >= 1 && result.channels <= 1 << 16, "'channels' is not 1 to 65536");
  return result;
}

}  // namespace

json to_json(const CheckpointInfo& info) {
  return {{"classes", info.classes},
          {"preprocessing",
           {{"image_size", info.preprocessing.image_size},
            {"channels", info.preprocessing.channels},
            {"resize", info.preprocessing.resize},
            {"scale", info.preprocessing.scale}}},
          {"seed", info.seed},
          {"epoch", info.epoch},
          {"step_in_epoch", info.step_in_epoch},
          {"global_step", info.global_step},
          {"best_metric", info.best_metric ? json(*info.best_metric) : json()},
          {"early_stopping", info.early_stopping},
          {"arguments", info.arguments},
          {"metrics", info.metrics}};
}

CheckpointInfo info_from_json(const json& object) {
  CheckpointInfo info;
  const json& classes = field(object, "classes");
  engine::require(classes.is_array(), "'classes' is not a list");
  for (const json& name : classes) {
    engine::require(name.is_string(), "'classes' is not a list of names");
    info.classes.push_back(name.get<std::string>());
  }
  info.preprocessing = preprocessing_from_json(field(object, "preprocessing"));
  engine::require(field(object, "seed").is_number_unsigned(), "'seed' is not a whole number");
  info.seed = object["seed"].get<std::uint64_t>();
  info.epoch = count(object, "epoch");
  info.step_in_epoch = count(object, "step_in_epoch");
  info.global_step = count(object, "global_step");
  const json& best = field(object, "best_metric");
  engine::require(best.is_null() || best.is_number(), "'best_metric' is not a number");
  if (best.is_number()) info.best_metric = best.get<double>();
  info.early_stopping = dictionary(object, "early_stopping");
  info.arguments = dictionary(object, "arguments");
  info.metrics = dictionary(object, "metrics");
  return info;
}

OptimizerInfo optimizer_from_json(const json& object) {
  const json& optimizer = field(object, "optimizer");
  if (optimizer.is_null()) return {};
  return {.kind = text(optimizer, "kind"), .steps = count(optimizer, "steps")};
}

}  // namespace roentgen::model

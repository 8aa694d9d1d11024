// Layers from their configuration: the closed set of kinds that a checkpoint can name.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "engine/check.h"
#include "model/error.h"
#include "model/layers.h"

namespace roentgen::model {
namespace {

using nlohmann::json;

constexpr int deepest = 8;

const json& value(const json& config, const char* key) {
  const auto found = config.find(key);
  engine::require(found != config.end(), "'{}' is missing", key);
  return *found;
}

std::int64_t integer(const json& number, const char* key) {
  engine::require(number.is_number_integer(), "'{}' is not a whole number", key);
  return number.get<std::int64_t>();
}

double real(const json& config, const char* key) {
  engine::require(value(config, key).is_number(), "'{}' is not a number", key);
  return value(config, key).get<double>();
}

bool flag(const json& config, const char* key) {
  engine::require(value(config, key).is_boolean(), "'{}' is not true or false", key);
  return value(config, key).get<bool>();
}

std::string text(const json& config, const char* key) {
  engine::require(value(config, key).is_string(), "'{}' is not a text", key);
  return value(config, key).get<std::string>();
}

Extent2D extent(const json& config, const char* key) {
  const json& pair = value(config, key);
  engine::require(pair.is_array() && pair.size() == 2, "'{}' is not a pair", key);
  return {integer(pair[0], key), integer(pair[1], key)};
}

Padding padding(const json& config) {
  const std::string name = text(config, "padding");
  engine::require(name == "same" || name == "valid", "no padding is named '{}'", name);
  return name == "same" ? Padding::same : Padding::valid;
}

Activation activation(const json& config) {
  return parse_activation(text(config, "activation"));
}

Initializer initializer(const json& config) {
  return parse_initializer(text(config, "initializer"));
}

template <class L>
std::unique_ptr<Layer> made(L layer) {
  return std::make_unique<L>(std::move(layer));
}

template <class L>
std::unique_ptr<Layer> pooling(const json& c, int) {
  return made(L(extent(c, "pool"), {.strides = extent(c, "strides"), .padding = padding(c)}));
}

std::unique_ptr<Layer> conv2d(const json& c, int) {
  return made(Conv2D(integer(value(c, "filters"), "filters"), extent(c, "kernel"),
                     Conv2DOptions{.activation = activation(c),
                                   .strides = extent(c, "strides"),
                                   .padding = padding(c),
                                   .dilation = extent(c, "dilation"),
                                   .use_bias = flag(c, "use_bias"),
                                   .initializer = initializer(c)}));
}

std::unique_ptr<Layer> dense(const json& c, int) {
  return made(Dense(integer(value(c, "units"), "units"), activation(c), initializer(c)));
}

std::unique_ptr<Layer> residual(const json& c, int depth) {
  return made(Residual(Chain::from_config(value(c, "main"), depth + 1),
                       Chain::from_config(value(c, "shortcut"), depth + 1), activation(c)));
}

using Maker = std::unique_ptr<Layer> (*)(const json& config, int depth);
constexpr std::pair<std::string_view, Maker> kinds[] = {
    {"Conv2D", conv2d},
    {"MaxPooling2D", pooling<MaxPooling2D>},
    {"AveragePooling2D", pooling<AveragePooling2D>},
    {"GlobalAveragePooling2D", [](const json&, int) { return made(GlobalAveragePooling2D()); }},
    {"Flatten", [](const json&, int) { return made(Flatten()); }},
    {"Dense", dense},
    {"Dropout", [](const json& c, int) { return made(Dropout(real(c, "rate"))); }},
    {"BatchNormalization",
     [](const json& c, int) { return made(BatchNormalization(real(c, "momentum"), real(c, "epsilon"))); }},
    {"Activation", [](const json& c, int) { return made(ActivationLayer(activation(c))); }},
    {"Residual", residual},
};

}  // namespace

std::unique_ptr<Layer> layer_from_config(const json& config, int depth) {
  if (depth > deepest) {
    throw CheckpointError(fmt::format("architecture: layers are nested deeper than {}", deepest));
  }
  if (!config.is_object() || !config.contains("kind") || !config["kind"].is_string()) {
    throw CheckpointError("architecture: a layer has no kind");
  }
  const std::string kind = config["kind"].get<std::string>();
  for (const auto& [name, make] : kinds) {
    if (name != kind) continue;
    try {
      return make(config, depth);
    } catch (const std::invalid_argument& error) {
      throw CheckpointError(fmt::format("architecture: {}: {}", kind, error.what()));
    }
  }
  throw CheckpointError("architecture: no layer is of kind " + json(kind).dump().substr(0, 60));
}

}  // namespace roentgen::model

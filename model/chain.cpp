#include "model/chain.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "model/error.h"
#include "model/layers.h"

namespace roentgen::model {
namespace {

// Layer i if there is one and it is an L, else null.
template <class L>
const L* layer_at(const std::vector<std::unique_ptr<Layer>>& layers, std::size_t i) {
  return i < layers.size() ? dynamic_cast<const L*>(layers[i].get()) : nullptr;
}

}  // namespace

void Chain::add(std::unique_ptr<Layer> layer) {
  layers_.push_back(std::move(layer));
}

Shape Chain::output_shape(Shape input) const {
  for (const auto& layer : layers_) input = layer->output_shape(input);
  return input;
}

std::vector<std::string> Chain::layer_names() const {
  std::map<std::string, int> count;
  std::vector<std::string> names;
  for (const auto& layer : layers_) {
    const std::string prefix = layer->prefix();
    names.push_back(fmt::format("{}{}", prefix, ++count[prefix]));
  }
  return names;
}

std::vector<ParameterSpec> Chain::parameters(Shape input) const {
  const std::vector<std::string> names = layer_names();
  std::vector<ParameterSpec> specs;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const Shape output = layers_[i]->output_shape(input);
    for (ParameterSpec& spec : layers_[i]->parameters(input)) {
      spec.name = names[i] + "." + spec.name;
      specs.push_back(std::move(spec));
    }
    input = output;
  }
  return specs;
}

void Chain::bind(std::span<const Tensor>& tensors) {
  for (const auto& layer : layers_) layer->bind(tensors);
}

void Chain::name(const std::string& prefix, std::uint32_t& next_number) {
  const std::vector<std::string> names = layer_names();
  for (std::size_t i = 0; i < layers_.size(); ++i) layers_[i]->name(prefix + names[i], next_number);
}

// Runs a fused block that starts at layer `first`, if there is one; returns the number of layers it stands
// for.
std::size_t Chain::run_block(std::size_t first, Tensor& x, const Context& context) const {
  const auto* conv = layer_at<Conv2D>(layers_, first);
  const auto* dense = layer_at<Dense>(layers_, first);
  const bool conv_block = conv && conv->options().activation == Activation::relu;
  const bool dense_block = dense && dense->activation() == Activation::relu && x.rank() == 2;
  if (!conv_block && !dense_block) return 0;

  std::size_t next = first + 1;
  std::int64_t pool = 1;
  if (const auto* pooling = layer_at<MaxPooling2D>(layers_, next);
      conv_block && pooling && pooling->tile() > 0 && pooling->tile() <= 15) {
    pool = pooling->tile();
    ++next;
  }
  double rate = 0;
  engine::RandomKey key;
  if (const auto* dropout = layer_at<Dropout>(layers_, next)) {
    rate = dropout->rate_in(context);
    key = dropout->key(context);
    ++next;
  }
  x = conv_block ? conv->forward_block(x, pool, rate, key) : dense->forward_block(x, rate, key);
  return next - first;
}

Tensor Chain::run(Tensor x, const Context& context, bool logits) const {
  const bool fuse = context.fuse && !context.observer;
  for (std::size_t i = 0; i < layers_.size();) {
    if (const std::size_t fused = fuse ? run_block(i, x, context) : 0) {
      i += fused;
      continue;
    }
    const bool last = i + 1 == layers_.size();
    x = logits && last ? layers_[i]->logits(x, context) : layers_[i]->forward(x, context);
    if (context.observer) (*context.observer)(layers_[i]->full_name(), x);
    ++i;
  }
  return x;
}

nlohmann::json Chain::config() const {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& layer : layers_) list.push_back(layer->config());
  return list;
}

Chain Chain::from_config(const nlohmann::json& config, int depth) {
  constexpr std::size_t most = 1000;
  if (!config.is_array() || config.size() > most) {
    throw CheckpointError(fmt::format("architecture: layers are a list of at most {} entries", most));
  }
  Chain chain;
  for (const nlohmann::json& entry : config) chain.add(layer_from_config(entry, depth));
  return chain;
}

}  // namespace roentgen::model

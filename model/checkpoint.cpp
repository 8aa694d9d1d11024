#include "model/checkpoint.h"

#include <fmt/format.h>

#include <set>

#include "engine/check.h"
#include "model/checkpoint_info.h"
#include "model/json.h"
#include "model/state.h"

namespace roentgen::model {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why) {
  throw CheckpointError(fmt::format("{}: {}", file.string(), why));
}

// Throws unless the file's tensors are those of the network and the state of an optimiser, no more and no
// less.
void check_tensors(const std::filesystem::path& file, const TensorFile& tensors,
                   const std::vector<ParameterSpec>& specs) {
  std::set<std::string> known;
  for (const ParameterSpec& spec : specs) {
    known.insert(spec.name);
    const Tensor* tensor = tensors.find(spec.name);
    if (!tensor) refuse(file, "the tensor " + shown(spec.name) + " of its architecture is missing");
    if (tensor->shape() != spec.shape || !is_floating(tensor->dtype())) {
      refuse(file, fmt::format("the tensor {} is {} {} where its architecture has {}", shown(spec.name),
                               engine::to_string(tensor->dtype()), engine::to_string(tensor->shape()),
                               engine::to_string(spec.shape)));
    }
  }
  for (const auto& [name, tensor] : tensors.tensors) {
    if (!known.contains(name) && !name.starts_with(optimizer_prefix)) {
      refuse(file, "the tensor " + shown(name) + " does not belong to its architecture");
    }
  }
}

}  // namespace

void save_checkpoint(const std::filesystem::path& file, const CheckpointInfo& info, const Sequential& net,
                     const engine::Optimizer* optimizer) {
  engine::require(net.built(), "save_checkpoint: the network is not built");
  json meta = to_json(info);
  meta["program"] = "roentgen";
  meta["format"] = checkpoint_format;
  meta["architecture"] = net.config();
  meta["optimizer"] = json();
  std::vector<NamedTensor> tensors = net.state();
  if (optimizer) {
    meta["optimizer"] = {{"kind", optimizer->kind()}, {"steps", optimizer->steps()}};
    for (const NamedTensor& state : optimizer->state()) {
      tensors.push_back({std::string(optimizer_prefix) + state.name, state.tensor});
    }
  }
  // Class names are folder names, which need not be UTF-8.
  write_safetensors(
      file, tensors,
      {{"layout", "roentgen"}, {checkpoint_key, meta.dump(-1, ' ', false, json::error_handler_t::replace)}});
}

Checkpoint Checkpoint::load(const std::filesystem::path& file) {
  Checkpoint checkpoint;
  checkpoint.file_ = file;
  checkpoint.tensors_ = read_safetensors(file);
  const auto entry = checkpoint.tensors_.metadata.find(checkpoint_key);
  if (entry == checkpoint.tensors_.metadata.end()) {
    refuse(file,
           "not a checkpoint of this program, which also holds the architecture and the classes; start a "
           "training from such weights with --init");
  }
  const json meta = parse_json(entry->second, file.string() + ": its metadata");
  if (!meta.is_object() || !meta.contains("format") || !meta["format"].is_number_unsigned()) {
    refuse(file, "its metadata name no format");
  }
  if (meta["format"] != checkpoint_format) {
    refuse(file,
           fmt::format("is of format {} and this program reads format {}; use the program that wrote it",
                       meta["format"].get<std::uint64_t>(), checkpoint_format));
  }
  try {
    checkpoint.info_ = info_from_json(meta);
    const OptimizerInfo optimizer = optimizer_from_json(meta);
    checkpoint.optimizer_kind_ = optimizer.kind;
    checkpoint.optimizer_steps_ = optimizer.steps;
    engine::require(meta.contains("architecture"), "'architecture' is missing");
  } catch (const std::invalid_argument& error) {
    refuse(file, fmt::format("its metadata are not valid: {}", error.what()));
  }
  checkpoint.architecture_ = meta["architecture"];
  try {
    const Sequential net = Sequential::from_config(checkpoint.architecture_);
    check_tensors(file, checkpoint.tensors_, net.parameter_specs());
    const std::vector<std::string>& classes = checkpoint.info_.classes;
    if (const std::int64_t outputs = net.output_shape().back();
        !classes.empty() && static_cast<std::int64_t>(classes.size()) != outputs) {
      refuse(file, fmt::format("names {} classes where its network tells {} apart", classes.size(), outputs));
    }
  } catch (const CheckpointError& error) {
    if (std::string_view(error.what()).starts_with(file.string())) throw;
    refuse(file, error.what());
  }
  return checkpoint;
}

Sequential Checkpoint::network(const engine::Device& device, engine::DType dtype) const {
  Sequential net = Sequential::from_config(architecture_);
  net.build(device, dtype);
  restore(net);
  return net;
}

void Checkpoint::restore(Sequential& net) const {
  engine::require(net.built(), "Checkpoint: the network to restore is not built");
  check_tensors(file_, tensors_, net.parameter_specs());
  for (const NamedTensor& target : net.state()) assign(target.tensor, *tensors_.find(target.name));
}

void Checkpoint::restore(engine::Optimizer& optimizer) const {
  if (!has_optimizer()) refuse(file_, "holds no optimiser state, so a training cannot go on from it");
  if (optimizer_kind_ != optimizer.kind()) {
    refuse(file_, fmt::format("was trained with {}, not {}; resume with the same optimiser",
                              shown(optimizer_kind_), optimizer.kind()));
  }
  const std::vector<NamedTensor> state = optimizer.state();
  std::size_t saved = 0;
  for (const auto& [name, tensor] : tensors_.tensors) saved += name.starts_with(optimizer_prefix);
  for (const NamedTensor& target : state) {
    const Tensor* tensor = tensors_.find(std::string(optimizer_prefix) + target.name);
    if (!tensor || tensor->shape() != target.tensor.shape() || !is_floating(tensor->dtype())) {
      refuse(file_, fmt::format("the optimiser's {} is missing or of another shape", shown(target.name)));
    }
  }
  if (saved != state.size()) {
    refuse(file_, fmt::format("holds {} tensors of optimiser state where {} are expected; resume with the "
                              "same options of the optimiser",
                              saved, state.size()));
  }
  for (const NamedTensor& target : state) {
    assign(target.tensor, *tensors_.find(std::string(optimizer_prefix) + target.name));
  }
  optimizer.set_steps(optimizer_steps_);
}

}  // namespace roentgen::model

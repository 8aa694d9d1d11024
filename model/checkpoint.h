// Checkpoints: a safetensors file with the weights, running statistics, the optimiser's state and, as plain
// JSON in the metadata, everything else a run needs to go on or a user needs to predict. Nothing in it is
// looked up or executed: the architecture is rebuilt from a closed set of layers.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/optimizer.h"
#include "model/safetensors.h"
#include "model/sequential.h"

namespace roentgen::model {

// How an image becomes the network's input.
struct Preprocessing {
  std::int64_t image_size = 256;
  std::int64_t channels = 3;
  std::string resize = "antialias";  // or "nearest"
  double scale = 1.0 / 255;
};

// What a checkpoint holds beside tensors.
struct CheckpointInfo {
  std::vector<std::string> classes;
  Preprocessing preprocessing;
  std::uint64_t seed = 0;
  std::int64_t epoch = 0;          // epochs finished
  std::int64_t step_in_epoch = 0;  // steps finished of the epoch begun, 0 between epochs
  std::int64_t global_step = 0;    // steps finished in all
  std::optional<double> best_metric;
  nlohmann::json early_stopping = nlohmann::json::object();  // the callbacks' own state
  nlohmann::json arguments = nlohmann::json::object();       // resolved arguments of the training
  nlohmann::json metrics = nlohmann::json::object();         // so far, as the trainer keeps them
};

// Writes atomically; `optimizer` may be null. Throws IoError.
void save_checkpoint(const std::filesystem::path& file, const CheckpointInfo& info, const Sequential& net,
                     const engine::Optimizer* optimizer = nullptr);

// A checkpoint read and verified, not yet applied.
class Checkpoint {
 public:
  // Throws IoError, or CheckpointError for a damaged file, a file without this program's metadata (a weight
  // file of others), a newer format, an architecture that is not valid, or tensors that do not fit it.
  static Checkpoint load(const std::filesystem::path& file);

  const CheckpointInfo& info() const { return info_; }
  const nlohmann::json& architecture() const { return architecture_; }
  bool has_optimizer() const { return !optimizer_kind_.empty(); }

  // The network, built on `device` with the saved weights.
  Sequential network(const engine::Device& device, engine::DType dtype = engine::DType::float32) const;
  // Fills a built network of the same architecture, or the optimiser over its parameters. Everything is
  // checked before anything is changed; throws CheckpointError.
  void restore(Sequential& net) const;
  void restore(engine::Optimizer& optimizer) const;

 private:
  Checkpoint() = default;

  std::filesystem::path file_;
  TensorFile tensors_;
  CheckpointInfo info_;
  nlohmann::json architecture_;
  std::string optimizer_kind_;  // empty where none was saved
  std::int64_t optimizer_steps_ = 0;
};

// Fills a built network with the weights of any safetensors file that has its tensors' names, in one of three
// layouts: ours (filters K,R,S,C, dense [out, in], flattened in H,W,C order), "pytorch" (O,I,H,W, flattened
// in C,H,W order) or "keras" (H,W,I,O, dense [in, out]). The metadata entry "layout" tells which; without it
// the shapes do where they can be of one layout only, and else it is ours. A checkpoint's optimiser state is
// passed over. Returns a note for the user, which layout was taken and why. Throws CheckpointError naming the
// first tensor that is missing, too many or of a wrong shape; the network is then unchanged.
std::string load_weights(Sequential& net, const std::filesystem::path& file);

}  // namespace roentgen::model

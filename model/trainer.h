// The training loop, and the same pass without learning for validation and evaluation.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "engine/optimizer.h"
#include "engine/schedule.h"
#include "kernels/augment.h"
#include "model/callbacks.h"
#include "model/history.h"
#include "model/sequential.h"

namespace roentgen::model {

// n images on the host, valid until the source is used again.
struct ImageBatch {
  std::int64_t count = 0;
  std::span<const std::uint8_t> images;  // [count, h, w, c]
  std::vector<std::int32_t> labels;      // [count]
  std::vector<std::int64_t> samples;     // [count], numbers in the data set: what augmentation is drawn by
};

// Where batches come from. What an epoch yields must depend on its number alone.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // Begins epoch `epoch` (from 0) at its batch `first_batch`.
  virtual void start(std::int64_t epoch, std::int64_t first_batch) = 0;
  virtual std::optional<ImageBatch> next() = 0;
  virtual std::int64_t batches() const = 0;          // of a whole epoch
  virtual double wait_seconds() const { return 0; }  // spent in next() waiting for data, in all
};

struct TrainOptions {
  std::int64_t epochs = 20;
  engine::Schedule learning_rate = engine::constant_schedule(1e-3);  // of the step, from 0
  std::uint64_t seed = 0;                                            // of dropout and augmentation
  std::optional<kernels::Augmentation> augmentation;
  std::vector<float> class_weights;  // one per class, or none
  double label_smoothing = 0;
  double clip_norm = 0;  // of all gradients together; 0 leaves them
  // Asked after every step: the signal that asks to stop, or 0.
  std::function<int()> stop_signal;
};

enum class StopReason { finished, early, signal };

struct TrainResult {
  StopReason reason = StopReason::finished;
  int signal = 0;
};

// The loss, an output or a weight went non-finite; the message names where. Exit code 6.
struct Diverged : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Goes on from `state` (a fresh one, or a checkpoint's) until `epochs` are done, a callback has enough or a
// signal asks to stop; that one is obeyed after the step at hand. `validation` may be null. Everything drawn
// depends on (seed, epoch, sample) or (seed, layer, step), so a run that goes on from any step repeats the
// uninterrupted one bit for bit. Loss and accuracy are sample-weighted means over the epoch's batches as they
// were trained, dropout included, as Keras reports them; class weights do not enter val_loss. Throws
// Diverged.
TrainResult fit(Sequential& net, engine::Optimizer& optimizer, BatchSource& train, BatchSource* validation,
                const TrainOptions& options, TrainState& state, const std::vector<Callback*>& callbacks = {});

// Throws Diverged, naming the first weight that is not finite: a gradient that went wrong in the last step
// shows there before it shows in a loss. To be asked before a checkpoint is written.
void require_finite_weights(const Sequential& net, const TrainState& state);

// Inference over one epoch of `source`, in its order. A signal ends it with what it has; see stop_signal.
Predictions predict(const Sequential& net, BatchSource& source, double label_smoothing = 0,
                    const std::function<int()>& stop_signal = {});

// Images [count, h, w, c] of bytes to the network's input: scaled by 1/255, read through `maps` where there
// are any. Throws std::invalid_argument for a size that is not the network's.
Tensor to_input(const Sequential& net, std::span<const std::uint8_t> images, std::int64_t count,
                std::span<const kernels::Affine> maps = {});

}  // namespace roentgen::model

#include "engine/check.h"
#include "engine/dispatch.h"
#include "engine/ops.h"
#include "engine/tape.h"
#include "kernels/softmax.h"

namespace roentgen::engine {

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const Tensor& class_weights,
                     const CrossEntropyOptions& options) {
  require_same_device("cross_entropy", logits, labels);
  const DType master = master_of(logits.dtype());
  require(logits.rank() == 2 && logits.size() > 0 && labels.dtype() == DType::int32 &&
              labels.shape() == Shape{logits.dim(0)},
          "cross_entropy: takes logits [n, c] and int32 labels [n], not {} {} and {} {}",
          to_string(logits.dtype()), to_string(logits.shape()), to_string(labels.dtype()),
          to_string(labels.shape()));
  if (class_weights.defined()) {
    require_same_device("cross_entropy", logits, class_weights);
    require(class_weights.shape() == Shape{logits.dim(1)} && class_weights.dtype() == master,
            "cross_entropy: takes class weights {} [{}], not {} {}", to_string(master), logits.dim(1),
            to_string(class_weights.dtype()), to_string(class_weights.shape()));
  }
  require(options.label_smoothing >= 0 && options.label_smoothing <= 1,
          "cross_entropy: takes label smoothing in [0, 1], not {}", options.label_smoothing);
  const kernels::CrossEntropyShape shape{
      .rows = logits.dim(0), .c = logits.dim(1), .label_smoothing = options.label_smoothing};
  Tensor loss({}, master, logits.device());
  const Tensor log_p(logits.shape(), master, logits.device());
  dispatch("cross_entropy", logits, [&]<class T>(auto device, T) {
    using M = Master<T>;
    kernels::cross_entropy_forward(device, shape, logits.data<T>(), labels.data<std::int32_t>(),
                                   class_weights.defined() ? class_weights.data<M>() : nullptr,
                                   loss.data<M>(), log_p.data<M>());
  });
  return record(loss, {logits},
                [shape, log_p, labels = labels.detach(), weights = class_weights.detach(),
                 dtype = logits.dtype()](const Tensor& dloss) -> std::vector<Tensor> {
                  Tensor dlogits(log_p.shape(), dtype, log_p.device());
                  dispatch("cross_entropy", dlogits, [&]<class T>(auto device, T) {
                    using M = Master<T>;
                    kernels::cross_entropy_backward(
                        device, shape, log_p.data<M>(), labels.data<std::int32_t>(),
                        weights.defined() ? weights.data<M>() : nullptr, dloss.data<M>(), dlogits.data<T>());
                  });
                  return {dlogits};
                });
}

}  // namespace roentgen::engine

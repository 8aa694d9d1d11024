// From the data's loader to the trainer's batches.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "data/loader.h"
#include "data/sampler.h"
#include "model/trainer.h"

namespace roentgen::apps {

class LoaderSource : public model::BatchSource {
 public:
  using Order = std::function<std::vector<std::int64_t>(std::int64_t epoch)>;

  // `dataset` must outlive this; `order` gives the samples of an epoch.
  LoaderSource(const data::Dataset& dataset, const data::LoaderOptions& options, Order order)
      : loader_(dataset, options), order_(std::move(order)) {}

  void start(std::int64_t epoch, std::int64_t first_batch) override {
    loader_.start_epoch(order_(epoch), first_batch);
  }
  std::optional<model::ImageBatch> next() override {
    auto batch = loader_.next();
    if (!batch) return std::nullopt;
    return model::ImageBatch{batch->count, batch->images, std::move(batch->labels),
                             std::move(batch->samples)};
  }
  std::int64_t batches() const override { return loader_.batches(); }
  double wait_seconds() const override { return loader_.wait_seconds(); }

 private:
  data::Loader loader_;
  Order order_;
};

// 0 .. n-1, in every epoch.
inline LoaderSource::Order sorted_order(std::int64_t n) {
  return [n](std::int64_t) { return data::epoch_order(n, 0, 0, false); };
}

}  // namespace roentgen::apps

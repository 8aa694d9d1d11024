// Images to train and to validate with.
#pragma once

#include <memory>
#include <optional>

#include <nlohmann/json.hpp>

#include "apps/batches.h"
#include "apps/train_options.h"
#include "data/dataset.h"

namespace roentgen::apps {

struct TrainingFolders {
  data::ImageFolder all, train, val;  // val without samples where nothing is held out
};

// Lists the training images and splits them. Throws data::DataError.
TrainingFolders load_training_folders(const TrainArgs& args);

// What a checkpoint keeps of the data: {hash, train_images, val_images, train_hashes, val_hashes}. The lists
// are left out beyond 400,000 images, to keep the file's header small.
nlohmann::json data_record(const TrainingFolders& folders);

// Decoded images and the order of their batches. Made in place: the sources refer to the data sets.
class TrainingData {
 public:
  // `progress` as data::DatasetOptions has it, over both sets.
  TrainingData(TrainingFolders folders, const TrainArgs& args,
               const std::function<void(std::int64_t, std::int64_t)>& progress);

  const data::Dataset& train_set() const { return train_set_; }
  const data::Dataset* val_set() const { return val_set_ ? &*val_set_ : nullptr; }
  model::BatchSource& train() { return train_; }
  model::BatchSource* val() { return val_ ? &*val_ : nullptr; }

 private:
  data::Dataset train_set_;
  std::optional<data::Dataset> val_set_;
  LoaderSource train_;
  std::optional<LoaderSource> val_;
};

}  // namespace roentgen::apps

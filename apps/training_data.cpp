#include "apps/training_data.h"

#include <fmt/format.h>

#include <utility>

#include "data/error.h"
#include "data/sampler.h"
#include "data/split.h"

namespace roentgen::apps {

namespace {

using Progress = std::function<void(std::int64_t, std::int64_t)>;

data::DatasetOptions dataset_options(const TrainArgs& args, std::int64_t part, std::int64_t all,
                                     Progress progress) {
  const auto side = static_cast<int>(args.network.image_size);
  const double share = static_cast<double>(part) / static_cast<double>(all);
  return {.height = side,
          .width = side,
          .resize = args.resizing(),
          .on_bad_image = args.bad_image_policy(),
          .memory_budget = static_cast<std::int64_t>(share * static_cast<double>(args.memory_budget)),
          .workers = args.workers,
          .progress = std::move(progress)};
}

LoaderSource::Order training_order(const TrainArgs& args, const data::Dataset& set) {
  const std::uint64_t seed = args.seed;
  if (args.sampling == "balanced") {
    return [&set, seed](std::int64_t epoch) {
      return data::balanced_order(set.labels(), static_cast<int>(set.classes().size()), seed,
                                  static_cast<std::uint32_t>(epoch));
    };
  }
  return [&set, seed, shuffle = !args.no_shuffle](std::int64_t epoch) {
    return data::epoch_order(set.size(), seed, static_cast<std::uint32_t>(epoch), shuffle);
  };
}

std::vector<std::string> hashes_of(const data::ImageFolder& folder) {
  std::vector<std::string> hashes;
  for (const data::Sample& sample : folder.samples) hashes.push_back(fmt::format("{:016x}", sample.hash));
  return hashes;
}

}  // namespace

TrainingFolders load_training_folders(const TrainArgs& args) {
  TrainingFolders folders;
  folders.all = data::load_split(args.data, data::Split::train, args.bad_image_policy(), args.workers);
  for (const std::string& name : folders.all.classes) {
    try {
      nlohmann::json(name).dump();
    } catch (const nlohmann::json::exception&) {
      throw data::DataError(fmt::format("a class folder in '{}' has a name that is not UTF-8; rename it",
                                        folders.all.root.string()));
    }
  }
  if (folders.all.classes.size() < 2) {
    throw data::DataError(fmt::format("'{}' has one class only, '{}'; training needs two or more",
                                      folders.all.root.string(), folders.all.classes.front()));
  }
  const auto split = data::stratified_split(folders.all.samples, args.val_split, args.seed);
  folders.train = data::subset(folders.all, split.train);
  folders.val = data::subset(folders.all, split.val);
  return folders;
}

nlohmann::json data_record(const TrainingFolders& folders) {
  nlohmann::json record = {{"hash", fmt::format("{:016x}", folders.all.content_hash())},
                           {"train_images", folders.train.samples.size()},
                           {"val_images", folders.val.samples.size()}};
  if (folders.all.samples.size() <= 400000) {
    record["train_hashes"] = hashes_of(folders.train);
    record["val_hashes"] = hashes_of(folders.val);
  }
  return record;
}

TrainingData::TrainingData(TrainingFolders folders, const TrainArgs& args, const Progress& progress)
    : train_set_(folders.train, dataset_options(args, std::ssize(folders.train.samples),
                                                std::ssize(folders.all.samples), progress)),
      train_(train_set_, {.batch_size = args.batch_size, .workers = args.workers},
             training_order(args, train_set_)) {
  if (folders.val.samples.empty()) return;
  val_set_.emplace(folders.val, dataset_options(args, std::ssize(folders.val.samples),
                                                std::ssize(folders.all.samples), progress));
  val_.emplace(*val_set_, data::LoaderOptions{.batch_size = args.batch_size, .workers = args.workers},
               sorted_order(val_set_->size()));
}

}  // namespace roentgen::apps

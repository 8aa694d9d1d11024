// Decoded, resized images of a folder: all in memory if they fit the budget, else decoded on demand.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "data/image.h"
#include "data/image_folder.h"

namespace roentgen::data {

struct DatasetOptions {
  int height = 256, width = 256;
  Resize resize = Resize::antialias;
  OnBadImage on_bad_image = OnBadImage::error;
  std::int64_t memory_budget = std::int64_t{2} << 30;  // bytes of pixels; more than that streams from disk
  int workers = 0;                                     // decoding threads, 0 for all cores
  // Called after each image decoded at construction, one call at a time but from any thread. A throw ends it.
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};
};

// n samples of [height, width, 3] uint8. Immutable once built: all members may be called from any thread.
class Dataset {
 public:
  // In memory: decodes all at once. Streaming: decodes nothing with OnBadImage::error, everything once (to
  // find the bad ones) with skip. Throws DataError: the first bad image in the folder's order, or a class
  // that skipping emptied; std::invalid_argument for a size below 1.
  Dataset(ImageFolder folder, DatasetOptions options);

  std::int64_t size() const { return static_cast<std::int64_t>(folder_.samples.size()); }
  int height() const { return options_.height; }
  int width() const { return options_.width; }
  std::int64_t image_bytes() const { return std::int64_t{3} * options_.height * options_.width; }
  const ImageFolder& folder() const { return folder_; }  // without what was skipped, which is in its list
  const std::vector<std::string>& classes() const { return folder_.classes; }
  const std::vector<std::int32_t>& labels() const { return labels_; }
  const DatasetOptions& options() const { return options_; }
  bool in_memory() const { return in_memory_; }

  // All pixels [n, height, width, 3]; empty when streaming.
  std::span<const std::uint8_t> pixels() const { return pixels_; }
  // Sample `index` into `out` (image_bytes() long), from memory or from disk. Throws DataError.
  void read(std::int64_t index, std::span<std::uint8_t> out) const;

 private:
  void decode_all(bool keep);
  void decode(std::int64_t index, std::span<std::uint8_t> out) const;

  ImageFolder folder_;
  DatasetOptions options_;
  bool in_memory_;
  std::vector<std::int32_t> labels_;
  std::vector<std::uint8_t> pixels_;
};

}  // namespace roentgen::data

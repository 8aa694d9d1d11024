// Batches of a Dataset in a given order. What they hold does not depend on the number of workers, nor on
// whether the set is in memory or streams.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "data/dataset.h"

namespace roentgen::data {

struct LoaderOptions {
  std::int64_t batch_size = 16;
  int workers = 0;   // streaming: decoding threads, 0 for all cores
  int prefetch = 2;  // streaming: batches made ready ahead; memory is (prefetch + 1) batches
};

struct Batch {
  std::int64_t number = 0;               // from 0 within the epoch
  std::int64_t count = 0;                // batch_size, or less at the end
  std::span<const std::uint8_t> images;  // [count, height, width, 3], valid until next() or start_epoch()
  std::vector<std::int32_t> labels;      // [count]
  std::vector<std::int64_t> samples;     // [count], indices into the data set: the key of augmentation
};

// One consumer: call from one thread. The data set must outlive the loader.
class Loader {
 public:
  // Throws std::invalid_argument for a batch size below 1 or a negative prefetch.
  Loader(const Dataset& dataset, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Visits `order` (indices into the data set, any length, repeats allowed), from batch `first_batch` on: the
  // rest of an epoch after a resume is the tail of the whole one. May be called at any time; what was
  // prefetched is dropped.
  void start_epoch(std::vector<std::int64_t> order, std::int64_t first_batch = 0);
  // Batches in the order of start_epoch, those before first_batch included.
  std::int64_t batches() const;

  // The next batch, nothing at the end. In memory, a run of consecutive samples is a view and anything else
  // one copy. Throws DataError naming a file that broke or vanished since; the epoch is then over.
  std::optional<Batch> next();

  // Seconds spent inside next() since construction: the time the training waited for data.
  double wait_seconds() const { return wait_seconds_; }

 private:
  class Stream;
  Batch assemble();

  const Dataset& dataset_;
  LoaderOptions options_;
  std::vector<std::int64_t> order_;
  std::int64_t next_batch_ = 0;
  double wait_seconds_ = 0;
  std::vector<std::uint8_t> gathered_;  // in memory: the batch handed out last
  std::unique_ptr<Stream> stream_;      // streaming only
};

}  // namespace roentgen::data

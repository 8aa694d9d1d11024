#include "data/loader.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "data/parallel.h"

namespace roentgen::data {

// Threads that decode the samples of an order into a ring of batch buffers, in rising order of position, at
// most `prefetch` batches past the one handed out.
class Loader::Stream {
 public:
  Stream(const Dataset& dataset, const LoaderOptions& options)
      : dataset_(dataset),
        batch_size_(options.batch_size),
        slots_(static_cast<std::size_t>(options.prefetch) + 1) {
    const int workers = worker_count(options.workers);
    for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
  }

  ~Stream() {
    {
      const std::lock_guard lock(mutex_);
      quit_ = true;
    }
    may_work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // After this no thread touches the order or a buffer.
  void stop() {
    std::unique_lock lock(mutex_);
    order_ = {};
    next_ = 0;
    done_.wait(lock, [this] { return busy_ == 0; });
  }

  // Only when stopped. `order` must stay as it is until the next stop.
  void start(std::span<const std::int64_t> order, std::int64_t first_batch) {
    const auto batch =
        static_cast<std::size_t>(std::min(batch_size_, static_cast<std::int64_t>(order.size())));
    {
      const std::lock_guard lock(mutex_);
      for (Slot& slot : slots_) {
        slot.batch = -1;
        slot.pixels.resize(batch * static_cast<std::size_t>(dataset_.image_bytes()));
      }
      order_ = order;
      next_ = first_batch * batch_size_;
      current_ = first_batch;
    }
    may_work_.notify_all();
  }

  // The pixels of batch `number`, once they are there; the buffer of the one before may be used again.
  std::span<const std::uint8_t> wait_for(std::int64_t number) {
    std::unique_lock lock(mutex_);
    current_ = number;
    may_work_.notify_all();
    const Slot& slot = slot_of(number);
    done_.wait(lock, [&] { return slot.batch == number && slot.remaining == 0; });
    if (slot.failure) std::rethrow_exception(slot.failure);
    return slot.pixels;
  }

 private:
  struct Slot {
    std::int64_t batch = -1, remaining = 0;
    std::int64_t failed_at = 0;  // position of the first failure, where there is one
    std::exception_ptr failure;
    std::vector<std::uint8_t> pixels;
  };

  Slot& slot_of(std::int64_t batch) { return slots_[static_cast<std::size_t>(batch) % slots_.size()]; }
  std::int64_t end() const { return static_cast<std::int64_t>(order_.size()); }
  bool has_work() const {
    return next_ < end() && next_ / batch_size_ < current_ + static_cast<std::int64_t>(slots_.size());
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      may_work_.wait(lock, [this] { return quit_ || has_work(); });
      if (quit_) return;
      const std::int64_t position = next_++, batch = position / batch_size_;
      const std::int64_t sample = order_[static_cast<std::size_t>(position)];
      Slot& slot = slot_of(batch);
      if (slot.batch != batch) {
        slot.batch = batch;
        slot.remaining = std::min(batch_size_, end() - batch * batch_size_);
        slot.failure = nullptr;
      }
      const auto bytes = static_cast<std::size_t>(dataset_.image_bytes());
      const auto out =
          std::span(slot.pixels).subspan(static_cast<std::size_t>(position % batch_size_) * bytes, bytes);
      ++busy_;
      lock.unlock();
      std::exception_ptr failure;
      try {
        dataset_.read(sample, out);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      --busy_;
      --slot.remaining;
      if (failure && (!slot.failure || position < slot.failed_at))
        slot.failed_at = position, slot.failure = failure;
      if (slot.remaining == 0 || busy_ == 0) done_.notify_all();
    }
  }

  const Dataset& dataset_;
  const std::int64_t batch_size_;
  std::mutex
      mutex_;  // guards all below but the pixels, which belong to the worker of their position, then the user
  std::condition_variable may_work_, done_;
  std::vector<Slot> slots_;
  std::span<const std::int64_t> order_;
  std::int64_t next_ = 0;     // position to be decoded next
  std::int64_t current_ = 0;  // batch handed out, or to be handed out first
  int busy_ = 0;
  bool quit_ = false;
  std::vector<std::thread> threads_;
};

Loader::Loader(const Dataset& dataset, LoaderOptions options) : dataset_(dataset), options_(options) {
  if (options.batch_size < 1 || options.prefetch < 0) {
    throw std::invalid_argument(
        fmt::format("Loader: batch size {}, prefetch {}", options.batch_size, options.prefetch));
  }
  if (!dataset.in_memory()) stream_ = std::make_unique<Stream>(dataset, options);
}

Loader::~Loader() = default;

std::int64_t Loader::batches() const {
  return (static_cast<std::int64_t>(order_.size()) + options_.batch_size - 1) / options_.batch_size;
}

void Loader::start_epoch(std::vector<std::int64_t> order, std::int64_t first_batch) {
  for (const std::int64_t i : order) {
    if (i < 0 || i >= dataset_.size()) {
      throw std::invalid_argument(fmt::format("Loader: sample {} of {}", i, dataset_.size()));
    }
  }
  if (first_batch < 0) throw std::invalid_argument(fmt::format("Loader: first batch {}", first_batch));
  if (stream_) stream_->stop();
  order_ = std::move(order);
  next_batch_ = std::min(first_batch, batches());
  if (stream_) stream_->start(order_, next_batch_);
}

std::optional<Batch> Loader::next() {
  if (next_batch_ >= batches()) return std::nullopt;
  const auto begin = std::chrono::steady_clock::now();
  try {
    Batch batch = assemble();
    ++next_batch_;
    wait_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return batch;
  } catch (...) {
    next_batch_ = batches();
    throw;
  }
}

Batch Loader::assemble() {
  const std::int64_t first = next_batch_ * options_.batch_size;
  Batch batch;
  batch.number = next_batch_;
  batch.count = std::min(options_.batch_size, static_cast<std::int64_t>(order_.size()) - first);
  batch.samples.assign(order_.begin() + first, order_.begin() + first + batch.count);
  bool consecutive = true;
  for (std::int64_t i = 0; i < batch.count; ++i) {
    const std::int64_t sample = batch.samples[static_cast<std::size_t>(i)];
    batch.labels.push_back(dataset_.labels()[static_cast<std::size_t>(sample)]);
    consecutive = consecutive && sample == batch.samples[0] + i;
  }

  const auto bytes = static_cast<std::size_t>(dataset_.image_bytes());
  const std::size_t batch_bytes = static_cast<std::size_t>(batch.count) * bytes;
  if (stream_) {
    batch.images = stream_->wait_for(batch.number).first(batch_bytes);
  } else if (consecutive) {
    batch.images = dataset_.pixels().subspan(static_cast<std::size_t>(batch.samples[0]) * bytes, batch_bytes);
  } else {
    gathered_.resize(batch_bytes);
    for (std::size_t i = 0; i < batch.samples.size(); ++i) {
      dataset_.read(batch.samples[i], std::span(gathered_).subspan(i * bytes, bytes));
    }
    batch.images = gathered_;
  }
  return batch;
}

}  // namespace roentgen::data

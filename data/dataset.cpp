#include "data/dataset.h"

#include <fmt/core.h>
#include <xxhash.h>

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "data/error.h"
#include "data/file.h"
#include "data/parallel.h"
#include "data/skip.h"

namespace roentgen::data {

Dataset::Dataset(ImageFolder folder, DatasetOptions options)
    : folder_(std::move(folder)), options_(std::move(options)) {
  if (options_.height < 1 || options_.width < 1 || options_.height > max_side || options_.width > max_side) {
    throw std::invalid_argument(fmt::format("Dataset: image size [{}, {}]", options_.height, options_.width));
  }
  // Divided, since the product of a large set and large images overflows.
  in_memory_ = size() <= options_.memory_budget / image_bytes();
  if (in_memory_ || options_.on_bad_image == OnBadImage::skip) decode_all(in_memory_);
  labels_ = folder_.labels();
}

void Dataset::read(std::int64_t index, std::span<std::uint8_t> out) const {
  if (index < 0 || index >= size() || static_cast<std::int64_t>(out.size()) != image_bytes()) {
    throw std::invalid_argument(
        fmt::format("Dataset::read: index {} of {} into {} bytes", index, size(), out.size()));
  }
  if (in_memory_) {
    const auto bytes = static_cast<std::size_t>(image_bytes());
    std::copy_n(pixels_.begin() + index * image_bytes(), bytes, out.begin());
  } else {
    decode(index, out);
  }
}

void Dataset::decode(std::int64_t index, std::span<std::uint8_t> out) const {
  const Sample& sample = folder_.samples[static_cast<std::size_t>(index)];
  const std::vector<std::uint8_t> bytes = read_file(sample.path);
  if (XXH3_64bits(bytes.data(), bytes.size()) != sample.hash) {
    throw DataError(fmt::format("cannot use the image '{}': it changed since the folder was listed",
                                printable(sample.path)));
  }
  resize(decode_image(bytes, sample.path.native()), height(), width(), options_.resize, out);
}

void Dataset::decode_all(bool keep) {
  const std::int64_t bytes = image_bytes();
  if (keep) pixels_.resize(static_cast<std::size_t>(size() * bytes));
  std::vector<std::optional<std::string>> bad(folder_.samples.size());
  parallel_for(
      size(), options_.workers,
      [&](std::int64_t i) {
        std::vector<std::uint8_t> scratch(keep ? 0 : static_cast<std::size_t>(bytes));
        try {
          decode(i, keep ? std::span(pixels_).subspan(static_cast<std::size_t>(i * bytes),
                                                      static_cast<std::size_t>(bytes))
                         : std::span(scratch));
        } catch (const DataError& error) {
          if (options_.on_bad_image == OnBadImage::error) throw not_skipped(error);
          bad[static_cast<std::size_t>(i)] = error.what();
        }
      },
      options_.progress);

  if (keep) {  // close the gaps of what is skipped
    std::int64_t kept = 0;
    for (std::int64_t i = 0; i < size(); ++i) {
      if (bad[static_cast<std::size_t>(i)]) continue;
      if (kept != i) std::copy_n(pixels_.begin() + i * bytes, bytes, pixels_.begin() + kept * bytes);
      ++kept;
    }
    pixels_.resize(static_cast<std::size_t>(kept * bytes));
  }
  remove_bad(folder_, bad);
}

}  // namespace roentgen::data

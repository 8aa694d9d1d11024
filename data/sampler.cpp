#include "data/sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "data/shuffle.h"

namespace roentgen::data {

std::vector<std::int64_t> epoch_order(std::int64_t n, std::uint64_t seed, std::uint32_t epoch,
                                      bool shuffled) {
  if (n < 0 || n > UINT32_MAX) throw std::invalid_argument(fmt::format("epoch_order: {} samples", n));
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  if (shuffled) shuffle(order, {seed, kernels::Purpose::shuffle, 0, epoch});
  return order;
}

std::vector<std::int64_t> balanced_order(std::span<const std::int32_t> labels, int classes,
                                         std::uint64_t seed, std::uint32_t epoch, std::int64_t length) {
  const auto fail = [](auto what) { throw std::invalid_argument(fmt::format("balanced_order: {}", what)); };
  if (length < 0 || length > UINT32_MAX) fail(fmt::format("length {}", length));
  std::vector<std::vector<std::int64_t>> members(static_cast<std::size_t>(classes < 0 ? 0 : classes));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= classes)
      fail(fmt::format("label {} of {} classes", labels[i], classes));
    members[static_cast<std::size_t>(labels[i])].push_back(static_cast<std::int64_t>(i));
  }
  std::erase_if(members, [](const auto& m) { return m.empty(); });
  if (length == 0) length = static_cast<std::int64_t>(labels.size());
  if (members.empty()) {
    if (length > 0) fail("no samples to draw from");
    return {};
  }

  std::vector<std::int64_t> order;
  order.reserve(static_cast<std::size_t>(length));
  const auto present = static_cast<std::int64_t>(members.size());
  for (std::int64_t c = 0; c < present; ++c) {
    std::vector<std::int64_t>& own = members[static_cast<std::size_t>(c)];
    // What does not divide goes to other classes each epoch.
    std::int64_t wanted = length / present + ((c + epoch) % present < length % present ? 1 : 0);
    const kernels::RandomKey key{seed, kernels::Purpose::sample, static_cast<std::uint32_t>(c) + 1, epoch};
    for (std::uint64_t drawn = 0; wanted > 0; drawn += own.size()) {
      shuffle(own, key, drawn);
      const std::int64_t now = std::min(wanted, static_cast<std::int64_t>(own.size()));
      order.insert(order.end(), own.begin(), own.begin() + now);
      wanted -= now;
    }
  }
  shuffle(order, {seed, kernels::Purpose::sample, 0, epoch});
  return order;
}

}  // namespace roentgen::data

#include "data/split.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>
#include <unordered_map>

#include "data/shuffle.h"

namespace roentgen::data {

SplitIndices stratified_split(std::span<const Sample> samples, double fraction, std::uint64_t seed) {
  if (!(fraction >= 0 && fraction < 1)) {
    throw std::invalid_argument(fmt::format("stratified_split: fraction {} is not in [0, 1)", fraction));
  }
  // A group is all files of the same content; it counts for the class of its first.
  using Group = std::vector<std::size_t>;
  std::map<int, std::vector<Group>> by_class;
  std::unordered_map<std::uint64_t, std::pair<int, std::size_t>> group_of;
  std::map<int, std::int64_t> class_size;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const int label = samples[i].label;
    ++class_size[label];
    std::vector<Group>& groups = by_class[label];
    const auto [at, is_new] = group_of.try_emplace(samples[i].hash, label, groups.size());
    if (is_new) groups.emplace_back();
    by_class[at->second.first][at->second.second].push_back(i);
  }

  std::vector<bool> in_val(samples.size());
  for (auto& [label, groups] : by_class) {
    if (fraction == 0 || groups.size() < 2) continue;
    const std::int64_t n = class_size[label];
    const std::int64_t target =
        std::clamp<std::int64_t>(std::llround(fraction * static_cast<double>(n)), 1, n - 1);
    shuffle(groups, {seed, kernels::Purpose::split, static_cast<std::uint32_t>(label)});
    std::int64_t taken = 0;
    const auto take = [&](const Group& group) {
      taken += static_cast<std::int64_t>(group.size());
      for (const std::size_t i : group) in_val[i] = true;
    };
    for (const Group& group : groups) {
      if (taken + static_cast<std::int64_t>(group.size()) <= target) take(group);
    }
    if (taken == 0) take(groups.front());
  }

  SplitIndices split;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    (in_val[i] ? split.val : split.train).push_back(static_cast<std::int64_t>(i));
  }
  return split;
}

std::vector<float> class_weights(std::span<const std::int32_t> labels, int classes) {
  std::vector<double> counts(static_cast<std::size_t>(std::max(0, classes)));
  for (const std::int32_t label : labels) {
    if (label < 0 || label >= classes) {
      throw std::invalid_argument(fmt::format("class_weights: label {} of {} classes", label, classes));
    }
    ++counts[static_cast<std::size_t>(label)];
  }
  std::vector<float> weights;
  for (const double count : counts) {
    if (count == 0)
      throw std::invalid_argument(fmt::format("class_weights: class {} is empty", weights.size()));
    weights.push_back(static_cast<float>(static_cast<double>(labels.size()) / (classes * count)));
  }
  return weights;
}

}  // namespace roentgen::data

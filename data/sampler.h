// The order in which an epoch visits the samples. A pure function of (seed, epoch), so a resume repeats it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace roentgen::data {

// 0 .. n-1, shuffled by Fisher and Yates on Philox (Purpose::shuffle) if asked. n below 2^32.
std::vector<std::int64_t> epoch_order(std::int64_t n, std::uint64_t seed, std::uint32_t epoch, bool shuffle);

// `length` indices into labels (0: as many as there are labels) with every class that has samples drawn
// equally often, give or take one. Within a class no sample comes again before all others came
// (Purpose::sample); a large class is visited in part, another part in the next epoch. Throws
// std::invalid_argument for a label out of range.
std::vector<std::int64_t> balanced_order(std::span<const std::int32_t> labels, int classes,
                                         std::uint64_t seed, std::uint32_t epoch, std::int64_t length = 0);

}  // namespace roentgen::data

// Fisher and Yates on Philox.
#pragma once

#include <cstdint>
#include <utility>

#include "kernels/philox.h"

namespace roentgen::data {

// Permutes `items` (below 2^32 of them) with the numbers `first`, `first` + 1, ... of the stream `key`.
// Bounded by a multiplication, whose bias is below items / 2^32.
template <class Range>
void shuffle(Range&& items, const kernels::RandomKey& key, std::uint64_t first = 0) {
  const auto n = static_cast<std::uint32_t>(items.size());
  for (std::uint32_t left = n; left > 1; --left) {
    const std::uint32_t bits = kernels::random_bits(key, key.step, first + (n - left));
    std::swap(items[left - 1], items[kernels::multiply_high(bits, left)]);
  }
}

}  // namespace roentgen::data

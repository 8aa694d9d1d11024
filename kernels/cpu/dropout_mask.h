// Dropout's decisions for a run of elements, as every CPU kernel that drops out uses them.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/cpu/philox_lanes.h"
#include "kernels/philox.h"

namespace roentgen::kernels {

// keep[i] = random_bits(key, step, first_index + i) >= threshold, as 1 or 0. `step` is resolved_step(key),
// `threshold` drop_threshold(rate). Any first_index, any n.
inline void keep_mask(const RandomKey& key, std::uint32_t step, std::uint64_t first_index, std::int64_t n,
                      std::uint32_t threshold, std::uint8_t* keep) {
  // A copy, for `keep` might lie over `key` and its ten round keys would be made anew for each group.
  for_each_block_group(first_index, n, keep,
                       [key = key, step, threshold](std::uint64_t block, std::uint8_t* out) {
                         const PhiloxBlocks r = random_blocks(key, step, block);
                         const PhiloxLanes limit = PhiloxLanes{} + threshold;
                         const auto kept = [&](PhiloxLanes bits, std::uint64_t flag) {
                           return reinterpret_cast<PhiloxLanes>((bits & 0xFFFFFFFFu) >= limit) & flag;
                         };
                         // Each lane becomes the four bytes of its block; written as integers, so
                         // little-endian.
                         const PhiloxLanes bytes =
                             kept(r.x, 1) | kept(r.y, 1u << 8) | kept(r.z, 1u << 16) | kept(r.w, 1u << 24);
                         const PhiloxHalves packed = __builtin_convertvector(bytes, PhiloxHalves);
                         std::memcpy(out, &packed, sizeof(packed));
                       });
}

}  // namespace roentgen::kernels

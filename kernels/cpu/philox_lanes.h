// Philox4x32-10 on many blocks at once: the numbers of kernels/philox.h, a vector register at a time.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "kernels/philox.h"

namespace roentgen::kernels {

#if defined(__AVX512F__)
inline constexpr int philox_lanes = 8;
#elif defined(__AVX2__)
inline constexpr int philox_lanes = 4;
#else
inline constexpr int philox_lanes = 2;
#endif

// One 32-bit number in the low half of each 64-bit lane. The high halves are left with whatever came there:
// the widening multiplication reads low halves only, so nothing has to be cleared between the rounds.
using PhiloxLanes [[gnu::vector_size(philox_lanes * 8)]] = std::uint64_t;
using PhiloxHalves [[gnu::vector_size(philox_lanes * 4)]] = std::uint32_t;

struct PhiloxBlocks {
  PhiloxLanes x, y, z, w;
};

// Products of the low halves. GCC does not find the instruction by itself.
inline PhiloxLanes multiply_low_halves(PhiloxLanes a, std::uint64_t b) {
  const PhiloxLanes factor = PhiloxLanes{} + b;
#if defined(__AVX512F__)  // masked with all ones, since GCC 12 warns about the plain form's own body
  return reinterpret_cast<PhiloxLanes>(
      _mm512_maskz_mul_epu32(0xFF, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(factor)));
#elif defined(__AVX2__)
  return reinterpret_cast<PhiloxLanes>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(factor)));
#elif defined(__SSE2__)
  return reinterpret_cast<PhiloxLanes>(
      _mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(factor)));
#else
  return (a & 0xFFFFFFFFu) * factor;
#endif
}

// Blocks first .. first + philox_lanes - 1 of the key's stream.
inline PhiloxBlocks random_blocks(const RandomKey& key, std::uint32_t step, std::uint64_t first) {
  PhiloxLanes block;
  for (int i = 0; i < philox_lanes; ++i) block[i] = first + static_cast<std::uint64_t>(i);
  const std::uint32_t purpose = static_cast<std::uint32_t>(key.purpose) << 24 | (key.stream & 0xFFFFFFu);
  PhiloxBlocks c{block, block >> 32, PhiloxLanes{} + step, PhiloxLanes{} + purpose};
  std::uint32_t k0 = static_cast<std::uint32_t>(key.seed), k1 = static_cast<std::uint32_t>(key.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const PhiloxLanes p = multiply_low_halves(c.x, 0xD2511F53u), q = multiply_low_halves(c.z, 0xCD9E8D57u);
    c = {(q >> 32) ^ c.y ^ k0, q, (p >> 32) ^ c.w ^ k1, p};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

// Cuts elements [first_index, first_index + n) of a stream into groups of whole blocks and calls
// group(first_block, out) for each, which must write 4 * philox_lanes elements of type T.
template <class T, class Group>
void for_each_block_group(std::uint64_t first_index, std::int64_t n, T* out, Group&& group) {
  constexpr std::int64_t size = 4 * philox_lanes;
  for (std::int64_t done = 0; done < n;) {
    const std::uint64_t block = (first_index + static_cast<std::uint64_t>(done)) >> 2;
    const auto skip = static_cast<std::int64_t>((first_index + static_cast<std::uint64_t>(done)) & 3);
    if (skip == 0 && n - done >= size) {
      group(block, out + done);
      done += size;
    } else {
      T edge[size];
      group(block, edge);
      const std::int64_t count = n - done < size - skip ? n - done : size - skip;
      std::memcpy(out + done, edge + skip, static_cast<std::size_t>(count) * sizeof(T));
      done += count;
    }
  }
}

// bits[i] = random_bits(key, step, first_index + i).
inline void fill_random_bits(const RandomKey& key, std::uint32_t step, std::uint64_t first_index,
                             std::int64_t n, std::uint32_t* bits) {
  for_each_block_group(first_index, n, bits, [&](std::uint64_t block, std::uint32_t* out) {
    const PhiloxBlocks r = random_blocks(key, step, block);
    const PhiloxLanes low = (r.x & 0xFFFFFFFFu) | (r.y << 32), high = (r.z & 0xFFFFFFFFu) | (r.w << 32);
    for (int i = 0; i < philox_lanes; ++i) {
      const std::uint64_t pair[2] = {low[i], high[i]};
      std::memcpy(out + 4 * i, pair, sizeof(pair));
    }
  });
}

}  // namespace roentgen::kernels

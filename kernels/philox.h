// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// Counter-based: a number depends on its key and its index alone, so every device, thread count and resume
// draws the same one.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#define ROENTGEN_HOST_DEVICE __host__ __device__
#else
#define ROENTGEN_HOST_DEVICE
#endif

namespace roentgen::kernels {

// What a random number is drawn for. Distinct purposes never share a number.
enum class Purpose : std::uint32_t {
  initialise = 1,
  dropout = 2,
  shuffle = 3,
  augment = 4,
  split = 5,
  sample = 6,
  phantom = 7,
  test = 8,
};

struct Philox4 {
  std::uint32_t x, y, z, w;
};

ROENTGEN_HOST_DEVICE inline std::uint32_t multiply_high(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::uint32_t>((static_cast<std::uint64_t>(a) * b) >> 32);
}

ROENTGEN_HOST_DEVICE inline Philox4 philox4x32(Philox4 counter, std::uint64_t key) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint32_t h0 = multiply_high(0xD2511F53u, counter.x), l0 = 0xD2511F53u * counter.x;
    const std::uint32_t h1 = multiply_high(0xCD9E8D57u, counter.z), l1 = 0xCD9E8D57u * counter.z;
    counter = {h1 ^ counter.y ^ k0, l1, h0 ^ counter.w ^ k1, l0};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return counter;
}

// Names one stream of random numbers. `stream` tells users of one purpose apart (a layer's number, say).
// `step` is the training step or epoch; `counter`, where not null, is a step counter in the device's memory
// that is added to it, so that a captured training step draws anew at each replay.
struct RandomKey {
  std::uint64_t seed = 0;
  Purpose purpose = Purpose::test;
  std::uint32_t stream = 0;
  std::uint32_t step = 0;
  const std::uint32_t* counter = nullptr;
};

// The step a key stands for; reads device memory, so call it where the key's `counter` can be read.
ROENTGEN_HOST_DEVICE inline std::uint32_t resolved_step(const RandomKey& key) {
  return key.counter ? key.step + *key.counter : key.step;
}

// Four 32-bit numbers, block `block` of the stream: elements 4*block .. 4*block+3. `block` below 2^32,
// streams below 2^24.
ROENTGEN_HOST_DEVICE inline Philox4 random_block(const RandomKey& key, std::uint32_t step,
                                                 std::uint64_t block) {
  const std::uint32_t purpose = static_cast<std::uint32_t>(key.purpose) << 24 | (key.stream & 0xFFFFFFu);
  return philox4x32(
      {static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32), step, purpose}, key.seed);
}

// 32 random bits for element `index` of the stream.
ROENTGEN_HOST_DEVICE inline std::uint32_t random_bits(const RandomKey& key, std::uint32_t step,
                                                      std::uint64_t index) {
  const Philox4 r = random_block(key, step, index >> 2);
  switch (index & 3) {
    case 0:
      return r.x;
    case 1:
      return r.y;
    case 2:
      return r.z;
    default:
      return r.w;
  }
}

// Uniform in [0, 1) with 24 bits, exact in float.
ROENTGEN_HOST_DEVICE inline float to_uniform(std::uint32_t bits) {
  return static_cast<float>(bits >> 8) * 0x1p-24f;
}
ROENTGEN_HOST_DEVICE inline float uniform(const RandomKey& key, std::uint64_t index) {
  return to_uniform(random_bits(key, resolved_step(key), index));
}

// A dropped element is one whose 32 random bits are below this. `rate` in [0, 1).
ROENTGEN_HOST_DEVICE inline std::uint32_t drop_threshold(float rate) {
  return static_cast<std::uint32_t>(static_cast<double>(rate) * 4294967296.0);
}

}  // namespace roentgen::kernels

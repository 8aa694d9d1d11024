// Generated chest X-rays of three kinds, for demos and tests without patients. Drawn, not simulated: they
// teach a network nothing about disease.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "data/image.h"

namespace roentgen::data {

enum class PhantomKind { covid, normal, viral_pneumonia };

// The kinds' class names, in sorted order: a kind's number is its label.
inline const std::array<std::string, 3> phantom_classes = {"Covid", "Normal", "Viral Pneumonia"};

// A grey image [size, size, 1]: clear lungs (normal), patchy peripheral opacities on both sides (covid) or a
// diffuse interstitial pattern (viral_pneumonia), in varying anatomy, exposure, markers, lines and noise
// whose distribution is the same for all kinds. The same (kind, size, seed, index) gives the same pixels.
// `size` from 32 to 4096.
Image phantom(PhantomKind kind, int size, std::uint64_t seed, std::uint32_t index);

struct PhantomOptions {
  int train_per_class = 60, test_per_class = 20;
  int size = 256;
  std::uint64_t seed = 0;
  int workers = 0;        // threads, 0 for all cores
  bool exist_ok = false;  // overwrite files of the same names in folders that are not empty
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};  // as DatasetOptions::progress
};

// Writes DIR/{train,test}/CLASS/NNNN.png; a split of 0 images is not written. Throws IoError for what cannot
// be written or a class folder that is not empty, std::invalid_argument for a size or count out of range.
void write_phantoms(const std::filesystem::path& dir, const PhantomOptions& options);

}  // namespace roentgen::data

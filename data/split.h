// Validation split and class weights.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/image_folder.h"

namespace roentgen::data {

struct SplitIndices {
  std::vector<std::int64_t> train, val;  // rising indices into the samples
};

// Puts about `fraction` (in [0, 1)) of each class into val: rounded per class, at least one file on either
// side of a class of two or more different ones, none if fraction is 0. Byte-identical files (equal hash)
// stay together, even across classes. Depends on labels, hashes, their order and the seed only. Throws
// std::invalid_argument.
SplitIndices stratified_split(std::span<const Sample> samples, double fraction, std::uint64_t seed);

// n / (classes * count) per class, scikit-learn's "balanced". Throws std::invalid_argument for a class
// without samples or a label out of range.
std::vector<float> class_weights(std::span<const std::int32_t> labels, int classes);

}  // namespace roentgen::data

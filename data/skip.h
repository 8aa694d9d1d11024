// The policy OnBadImage::skip.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/error.h"
#include "data/image_folder.h"

namespace roentgen::data {

// Moves the samples that have a reason in `bad` to the list of skipped ones. Throws DataError naming a class
// that lost its last sample.
void remove_bad(ImageFolder& folder, const std::vector<std::optional<std::string>>& bad);

// The error that a broken image is under OnBadImage::error: why, and what to do.
DataError not_skipped(const DataError& why);

}  // namespace roentgen::data

// JSON of files that nobody vouches for.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace roentgen::model {

struct JsonLimits {
  std::size_t depth = 32;         // of nesting
  std::size_t values = 1 << 20;   // numbers, texts, lists and objects in all
  std::size_t bytes = 16u << 20;  // of text
};

// Throws CheckpointError, beginning with `where`, for text that is not JSON, names a key twice or is beyond
// the limits.
nlohmann::json parse_json(std::string_view text, const std::string& where, const JsonLimits& limits = {});

// A name from a file as it can be shown: quoted, control characters escaped, cut at 80 bytes.
std::string shown(std::string_view name);

}  // namespace roentgen::model

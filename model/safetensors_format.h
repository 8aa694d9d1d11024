// What reader and writer of safetensors share.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "model/sha256.h"

namespace roentgen::model::safetensors {

inline constexpr std::size_t largest_header = 16u << 20;
inline constexpr std::string_view header_digest_key = "roentgen.sha256.header";
inline constexpr std::string_view data_digest_key = "roentgen.sha256.data";
inline constexpr std::size_t digest_length = 64;

// SHA-256 of the header with the place of its own digest filled with zeros.
inline std::string header_digest(std::string header, std::size_t place) {
  header.replace(place, digest_length, digest_length, '0');
  Sha256 hash;
  hash.update(header.data(), header.size());
  return hash.hex();
}

}  // namespace roentgen::model::safetensors

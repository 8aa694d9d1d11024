// Whole files, in and out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace roentgen::data {

// `text` on one line for a message: control characters and quotes escaped, UTF-8 left as it is.
std::string printable(std::string_view text);
inline std::string printable(const std::filesystem::path& path) {
  return printable(std::string_view(path.native()));
}

// The bytes of a regular file of at most 1 GiB. Throws DataError naming it and the reason.
std::vector<std::uint8_t> read_file(const std::filesystem::path& path);

// Replaces the file. Throws IoError naming it and the reason.
void write_file(const std::filesystem::path& path, std::span<const std::uint8_t> bytes);

}  // namespace roentgen::data

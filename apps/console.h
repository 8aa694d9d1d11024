// Results on stdout, notes on stderr.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace roentgen::apps {

// Writes to stdout. Throws model::IoError where that fails (a full disk behind a redirection).
void print(std::string_view text);
// One object, indented; bytes that are no UTF-8 become U+FFFD.
void print_json(const nlohmann::ordered_json& value);
// A line on stderr.
void note(std::string_view text);

// True where stderr is a terminal that lines can be redrawn on.
bool redraws_lines();
// True where colour is welcome: a terminal, and NO_COLOR is not set.
bool likes_color();

inline constexpr std::string_view not_for_diagnosis = "For research and education, not for diagnosis.";

// A row of CSV (RFC 4180, but lines end in \n): fields with commas, quotes or line ends are quoted.
std::string csv_row(const std::vector<std::string>& fields);

// "1.5 GiB".
std::string format_bytes(double bytes);

}  // namespace roentgen::apps

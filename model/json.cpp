#include "model/json.h"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "model/error.h"

namespace roentgen::model {

using nlohmann::json;

json parse_json(std::string_view text, const std::string& where, const JsonLimits& limits) {
  const auto refuse = [&](const std::string& why) {
    throw CheckpointError(fmt::format("{}: {}", where, why));
  };
  if (text.size() > limits.bytes) refuse(fmt::format("more than {} bytes of JSON", limits.bytes));
  // The parser takes a zero byte for the end of the text.
  if (text.find('\0') != std::string_view::npos) refuse("not valid JSON");
  std::size_t values = 0;
  std::vector<std::set<std::string>> keys;  // of each object that is open
  const json::parser_callback_t watch = [&](int depth, json::parse_event_t event, json& parsed) {
    switch (event) {
      case json::parse_event_t::object_start:
        keys.emplace_back();
        [[fallthrough]];
      case json::parse_event_t::array_start:
        if (static_cast<std::size_t>(depth) >= limits.depth) refuse("JSON nested too deep");
        break;
      case json::parse_event_t::object_end:
        keys.pop_back();
        break;
      case json::parse_event_t::key:
        if (!keys.back().insert(parsed.get<std::string>()).second) {
          refuse("the key " + shown(parsed.get<std::string>()) + " occurs twice");
        }
        break;
      default:
        break;
    }
    if (++values > limits.values) refuse(fmt::format("more than {} JSON values", limits.values));
    return true;
  };
  try {
    return json::parse(text, watch);
  } catch (const json::exception&) {
    refuse("not valid JSON");
  }
  throw std::logic_error("parse_json: unreachable");
}

std::string shown(std::string_view name) {
  std::string text =
      json(std::string(name.substr(0, 80))).dump(-1, ' ', false, json::error_handler_t::replace);
  text.front() = text.back() = '\'';
  return text;
}

}  // namespace roentgen::model

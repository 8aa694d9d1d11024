#include "apps/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <limits>
#include <utility>

#include "apps/errors.h"

namespace roentgen::apps {

namespace {

using nlohmann::json;

std::string key_of(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::string environment_name(const std::string& key) {
  std::string name = "ROENTGEN_" + key;
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

// As it would stand on a command line; nothing for null and "".
std::vector<std::string> to_inputs(const json& value) {
  if (value.is_null() || value == "") return {};
  if (value.is_string()) return {value.get<std::string>()};
  if (!value.is_array()) return {value.dump()};
  std::vector<std::string> inputs;
  for (const json& item : value) inputs.push_back(item.is_string() ? item.get<std::string>() : item.dump());
  return inputs;
}

}  // namespace

Options::Options(CLI::App& command) : command_(command) {
  command_.add_option("--config", config_, "Take options from this file (INI, TOML or a run's args.json)")
      ->envname("ROENTGEN_CONFIG");
}

json Options::to_json(float value) {
  return std::stod(fmt::format("{}", value));
}

CLI::Option* Options::enter(CLI::Option* option, const std::string& placeholder, std::function<json()> read) {
  const std::string key = key_of(option->get_lnames().at(0));
  entries_.push_back({key, option, std::move(read)});
  const std::string fallback = option->get_default_str();
  option->option_text(fallback.empty() ? placeholder + " " : fmt::format("{} [{}]", placeholder, fallback));
  if (option->get_items_expected_max() == 1) option->take_last();
  return option->envname(environment_name(key));
}

Options::Entry* Options::find(const std::string& key) {
  const auto entry =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  return entry == entries_.end() ? nullptr : &*entry;
}

bool Options::fill(Entry& entry, const std::vector<std::string>& inputs) {
  CLI::Option& option = *entry.option;
  if (option.count() > 0 || inputs.empty()) return false;
  if (option.get_items_expected_max() == 0) {
    option.add_result(option.get_flag_value(option.get_lnames().at(0), inputs.front()));
  } else {
    option.add_result(inputs);
  }
  option.run_callback();
  return true;
}

void Options::read_config() {
  for (Entry& entry : entries_) entry.given = entry.option->count() > 0;
  if (config_.empty()) return;
  std::ifstream file(config_);
  if (!file || std::filesystem::is_directory(config_)) {
    throw UsageError(fmt::format("cannot read the configuration file '{}'; check --config", config_));
  }

  std::vector<CLI::ConfigItem> items;
  if (file.peek() == '{') {
    json values = json::parse(file, nullptr, false);
    if (values.is_object() && values.contains("arguments")) values = json(values["arguments"]);
    if (!values.is_object()) {
      throw UsageError(fmt::format("the configuration file '{}' is not valid JSON", config_));
    }
    for (const auto& [key, value] : values.items()) items.push_back({{}, key, to_inputs(value)});
  } else {
    try {
      items = CLI::ConfigBase().from_config(file);
    } catch (const CLI::Error& error) {
      throw UsageError(fmt::format("the configuration file '{}' is not valid: {}", config_, error.what()));
    }
  }

  for (const CLI::ConfigItem& item : items) {
    if (item.name == "++" || item.name == "--") continue;  // a section begins or ends
    if (!item.parents.empty() && item.parents != std::vector{command_.get_name()}) continue;
    Entry* entry = find(key_of(item.name));
    if (!entry) {
      throw UsageError(fmt::format("the configuration file '{}' sets '{}', which is no option of {}", config_,
                                   item.name, command_.get_name()));
    }
    try {
      if (fill(*entry, item.inputs)) entry->given = true;
    } catch (const CLI::Error& error) {
      throw UsageError(fmt::format("in the configuration file '{}': {}", config_, error.what()));
    }
  }
}

void Options::set_missing(const json& values) {
  for (Entry& entry : entries_) {
    if (values.contains(entry.key)) fill(entry, to_inputs(values.at(entry.key)));
  }
}

bool Options::given(const std::string& key) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const Entry& e) { return e.key == key && e.given; });
}

nlohmann::ordered_json Options::values() const {
  nlohmann::ordered_json values = nlohmann::ordered_json::object();
  for (const Entry& entry : entries_) values[entry.key] = entry.read();
  return values;
}

json Options::value(const std::string& key) const {
  const auto entry =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  return entry == entries_.end() ? json() : entry->read();
}

std::string Options::flag_name(const std::string& key) {
  std::string name = "--" + key;
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

namespace {

template <class T>
CLI::Validator number_check(T least, T most, const std::string& wanted) {
  return CLI::Validator(
      [=](std::string& text) {
        T value{};
        const bool number = CLI::detail::lexical_cast(text, value);
        return number && value >= least && value <= most ? ""
                                                         : fmt::format("takes {}, not '{}'", wanted, text);
      },
      "");
}

}  // namespace

CLI::Validator between(double least, double most) {
  return number_check(least, most, fmt::format("a number from {} to {}", least, most));
}

CLI::Validator between(int least, int most) {
  return number_check(least, most, fmt::format("a whole number from {} to {}", least, most));
}

CLI::Validator at_least(double least) {
  return number_check(least, std::numeric_limits<double>::max(),
                      fmt::format("a number of {} or more", least));
}

CLI::Validator unsigned_number() {
  return CLI::Validator(
      [](std::string& text) {
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        return error == std::errc() && end == text.data() + text.size()
                   ? ""
                   : fmt::format("takes a whole number from 0 to {}, not '{}'",
                                 std::numeric_limits<std::uint64_t>::max(), text);
      },
      "");
}

}  // namespace roentgen::apps

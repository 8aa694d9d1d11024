// Options of a command, from four places: command line, before environment (ROENTGEN_BATCH_SIZE), before
// --config FILE, before the default.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace roentgen::apps {

class Options {
 public:
  // Adds --config FILE to the command.
  explicit Options(CLI::App& command);

  // Adds an option ("-b,--batch-size") that sets `value`, whose content now is the default. Of a
  // single value given twice the last counts.
  template <class T>
  CLI::Option* add(const std::string& names, T& value, const std::string& help) {
    CLI::Option* option = command_.add_option(names, value, help)->capture_default_str();
    return enter(option, placeholder<T>(), [&value] { return to_json(value); });
  }
  template <class T>
  CLI::Option* add(const std::string& names, std::optional<T>& value, const std::string& help) {
    return enter(command_.add_option(names, value, help), placeholder<T>(),
                 [&value] { return value ? nlohmann::json(*value) : nlohmann::json(); });
  }
  CLI::Option* flag(const std::string& names, bool& value, const std::string& help) {
    return enter(command_.add_flag(names, value, help), "", [&value] { return nlohmann::json(value); });
  }

  // Takes the words of the command line that belong to no option; from nowhere else.
  void positional(const std::string& name, std::vector<std::string>& values, const std::string& help) {
    command_.add_option(name, values, help);
  }

  // Fills what neither command line nor environment gave from the --config file: INI or TOML (its section
  // of the command's name, or none), or the args.json of a run. Call it first in the command's callback.
  // Throws UsageError for a file that cannot be read, an unknown key or a bad value.
  void read_config();
  // Fills what is still not given from {"batch_size": 16, ...}; keys that are no option are passed over.
  void set_missing(const nlohmann::json& values);

  bool given(const std::string& key) const;  // by command line, environment or --config
  // All resolved values, {"batch_size": 16, ...}; null for an option without value.
  nlohmann::ordered_json values() const;
  nlohmann::json value(const std::string& key) const;
  // "--batch-size"
  static std::string flag_name(const std::string& key);

 private:
  struct Entry {
    std::string key;
    CLI::Option* option;
    std::function<nlohmann::json()> read;
    bool given = false;
  };

  template <class T>
  static nlohmann::json to_json(const T& value) {
    return value;
  }
  static nlohmann::json to_json(float value);  // 0.1, not the double that is nearest to 0.1f

  // What the help shows as the option's value.
  template <class T>
  static std::string placeholder() {
    if constexpr (std::is_integral_v<T>) return "N";
    if constexpr (std::is_floating_point_v<T>) return "X";
    if constexpr (std::is_same_v<T, std::string>) return "TEXT";
    return "N,N,...";
  }

  CLI::Option* enter(CLI::Option* option, const std::string& placeholder,
                     std::function<nlohmann::json()> read);
  Entry* find(const std::string& key);
  // True if the entry had no value yet and took these.
  static bool fill(Entry& entry, const std::vector<std::string>& inputs);

  CLI::App& command_;
  std::string config_;
  std::vector<Entry> entries_;
};

// Checks of a number, which its option refuses with one sentence. CLI11's own let nan and, of unsigned
// numbers, -1 pass.
CLI::Validator between(double least, double most);
CLI::Validator between(int least, int most);
CLI::Validator at_least(double least);
CLI::Validator unsigned_number();  // decimal, below 2^64

}  // namespace roentgen::apps

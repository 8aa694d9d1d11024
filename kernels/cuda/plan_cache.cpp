#include "kernels/cuda/plan_cache.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

namespace roentgen::kernels {
namespace {

constexpr int format = 1;
constexpr std::uintmax_t most_bytes = 256u << 20;  // far more than plans ever take

// FNV-1a: finds damage, not malice.
std::string checksum(const std::string& text) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return fmt::format("{:016x}", hash);
}

// Bytes that are not UTF-8 would not come back as they were: such an entry is made again, not fatal.
std::string text_of(const nlohmann::json& value) {
  return value.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

PlanCache::PlanCache(std::filesystem::path file) : file_(std::move(file)) {
  if (!file_.empty()) plans_ = read(file_);
}

std::filesystem::path PlanCache::default_file() {
  const auto folder = [](const char* variable) {
    const char* value = std::getenv(variable);
    return std::filesystem::path(value ? value : "");
  };
  constexpr const char* name = "plans.json";
  if (const auto own = folder("ROENTGEN_CACHE_DIR"); !own.empty()) return own / name;
  if (const auto cache = folder("XDG_CACHE_HOME"); !cache.empty()) return cache / "roentgen" / name;
  if (const auto home = folder("HOME"); !home.empty()) return home / ".cache" / "roentgen" / name;
  return {};
}

std::optional<std::string> PlanCache::find(const std::string& key) const {
  std::lock_guard lock(mutex_);
  const auto found = plans_.find(key);
  if (found == plans_.end()) return std::nullopt;
  return found->second;
}

bool PlanCache::store(const std::string& key, const std::string& plan) {
  std::lock_guard lock(mutex_);
  plans_[key] = plan;
  if (file_.empty()) return true;
  plans_.merge(read(file_));
  return write(file_, plans_);
}

PlanCache::Plans PlanCache::read(const std::filesystem::path& file) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(file, error);
  if (error || bytes > most_bytes) return {};
  std::ifstream in(file, std::ios::binary);
  const auto root = nlohmann::json::parse(in, nullptr, false);
  if (!root.is_object() || root.value("format", nlohmann::json()) != format || !root.contains("plans"))
    return {};
  const auto& plans = root["plans"];
  if (root.value("checksum", nlohmann::json()) != checksum(text_of(plans)) || !plans.is_object()) return {};
  Plans result;
  for (const auto& [key, plan] : plans.items())
    if (plan.is_string()) result.emplace(key, plan.get<std::string>());
  return result;
}

bool PlanCache::write(const std::filesystem::path& file, const Plans& plans) {
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  // Beside the file, so that the rename stays within one file system.
  static std::atomic<unsigned> number{0};
  const std::filesystem::path temporary = fmt::format("{}.{}.{}.tmp", file.string(), getpid(), number++);
  const nlohmann::json entries = plans;
  std::ofstream out(temporary, std::ios::binary);
  out << text_of({{"format", format}, {"checksum", checksum(text_of(entries))}, {"plans", entries}}) << '\n';
  out.close();
  if (!out) {
    std::filesystem::remove(temporary, error);
    return false;
  }
  std::filesystem::rename(temporary, file, error);
  if (!error) return true;
  std::filesystem::remove(temporary, error);
  return false;
}

}  // namespace roentgen::kernels

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "model/json.h"
#include "model/safetensors.h"
#include "model/safetensors_format.h"

namespace roentgen::model {
namespace {

using engine::DType;
using nlohmann::json;

class InputFile {
 public:
  explicit InputFile(const std::filesystem::path& path) : name_(path.string()) {
    // Not blocking: a pipe in the file's place is refused below instead of waited for.
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor_ < 0) fail(errno);
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0) fail(errno);
    if (!S_ISREG(status.st_mode)) {
      ::close(descriptor_);
      throw IoError(name_ + ": cannot be read: not a file");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
  }
  ~InputFile() { ::close(descriptor_); }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  std::uint64_t size() const { return size_; }

  void read(void* target, std::size_t bytes) {
    char* next = static_cast<char*>(target);
    while (bytes > 0) {
      const ssize_t got = ::read(descriptor_, next, std::min<std::size_t>(bytes, 1u << 30));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw IoError(message(errno));
      if (got == 0) throw IoError(name_ + ": cannot be read: it became shorter meanwhile");
      next += got;
      bytes -= static_cast<std::size_t>(got);
    }
  }

 private:
  std::string message(int error) const {
    return fmt::format("{}: cannot be read: {}", name_, std::generic_category().message(error));
  }
  [[noreturn]] void fail(int error) {
    if (descriptor_ >= 0) ::close(descriptor_);
    throw IoError(message(error));
  }

  std::string name_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

struct Entry {
  std::string name;
  DType dtype = DType::float32;
  bool half = false;  // F16, which is converted to float32
  Shape shape;
  std::uint64_t begin = 0, end = 0;
};

// Throws CheckpointError: what is wrong with the file, and what to do about it.
[[noreturn]] void refuse(const std::string& file, const std::string& why) {
  throw CheckpointError(
      fmt::format("{}: not a sound safetensors file: {}; use another copy of it", file, why));
}

std::uint64_t whole(const json& number, std::uint64_t most) {
  if (!number.is_number_unsigned() || number.get<std::uint64_t>() > most) {
    throw std::invalid_argument("a number is not whole or too large");
  }
  return number.get<std::uint64_t>();
}

// Throws std::invalid_argument saying what is wrong.
Entry parse_entry(const std::string& name, const json& value, std::uint64_t data_bytes) {
  constexpr std::size_t most_axes = 32;
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
      !value.contains("data_offsets")) {
    throw std::invalid_argument("it is not described by dtype, shape and data_offsets");
  }
  Entry entry;
  entry.name = name;
  const std::string dtype = value["dtype"].is_string() ? value["dtype"].get<std::string>() : "";
  if (dtype == "F32") {
    entry.dtype = DType::float32;
  } else if (dtype == "F64") {
    entry.dtype = DType::float64;
  } else if (dtype == "BF16") {
    entry.dtype = DType::bfloat16;
  } else if (dtype == "I64") {
    entry.dtype = DType::int64;
  } else if (dtype == "I32") {
    entry.dtype = DType::int32;
  } else if (dtype == "U8") {
    entry.dtype = DType::uint8;
  } else if (dtype == "F16") {
    entry.half = true;
  } else {
    throw std::invalid_argument("its type is " + shown(dtype) +
                                ", and F64, F32, F16, BF16, I64, I32 and U8 can be read");
  }
  const json& shape = value["shape"];
  if (!shape.is_array() || shape.size() > most_axes) throw std::invalid_argument("its shape is not a list");
  for (const json& extent : shape) {
    entry.shape.push_back(static_cast<std::int64_t>(whole(extent, std::uint64_t{1} << 48)));
  }
  const json& offsets = value["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2) throw std::invalid_argument("its offsets are not a pair");
  constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();
  entry.begin = whole(offsets[0], any);
  entry.end = whole(offsets[1], any);
  if (entry.end > data_bytes) throw std::invalid_argument("the file ends before it; it may be cut short");
  const std::uint64_t size = entry.half ? 2 : engine::size_of(entry.dtype);
  const auto elements = static_cast<std::uint64_t>(engine::element_count(entry.shape));
  if (entry.begin > entry.end || entry.end - entry.begin != elements * size) {
    throw std::invalid_argument("its offsets do not span its shape");
  }
  return entry;
}

// All of the header, in the order of the data.
std::vector<Entry> parse_entries(const json& header, std::uint64_t data_bytes, const std::string& file) {
  std::vector<Entry> entries;
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") continue;
    try {
      entries.push_back(parse_entry(name, value, data_bytes));
    } catch (const std::invalid_argument& error) {
      refuse(file, fmt::format("tensor {}: {}", shown(name), error.what()));
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t next = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != next) {
      refuse(file, fmt::format("tensor {} leaves a gap or overlaps another", shown(entry.name)));
    }
    next = entry.end;
  }
  if (next != data_bytes)
    refuse(file, fmt::format("{} bytes of data belong to no tensor", data_bytes - next));
  return entries;
}

std::map<std::string, std::string> parse_metadata(const json& header, const std::string& file) {
  std::map<std::string, std::string> metadata;
  if (!header.contains("__metadata__")) return metadata;
  const json& entries = header["__metadata__"];
  if (!entries.is_object()) refuse(file, "its metadata are not an object");
  for (const auto& [key, value] : entries.items()) {
    if (!value.is_string()) refuse(file, fmt::format("metadata {} are not a text", shown(key)));
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

// The digest that the data must have, if this file carries one; verifies that of the header.
std::optional<std::string> verify_header(const std::map<std::string, std::string>& metadata,
                                         const std::string& header, const std::string& file) {
  // A damaged key must not pass for a file without digests: any of our keys asks for both.
  const bool ours = std::any_of(metadata.begin(), metadata.end(),
                                [](const auto& entry) { return entry.first.starts_with("roentgen."); });
  if (!ours) return std::nullopt;
  const auto in_header = metadata.find(std::string(safetensors::header_digest_key));
  const auto of_data = metadata.find(std::string(safetensors::data_digest_key));
  if (in_header == metadata.end() || of_data == metadata.end()) refuse(file, "a SHA-256 digest is missing");
  const std::size_t place = header.find(in_header->second);
  if (in_header->second.size() != safetensors::digest_length || place == std::string::npos ||
      safetensors::header_digest(header, place) != in_header->second) {
    refuse(file, "its header does not have the SHA-256 digest it was written with");
  }
  return of_data->second;
}

// IEEE 754 binary16 to binary32, exactly.
float from_half(std::uint16_t half) {
  const int exponent = half >> 10 & 31;
  const int fraction = half & 1023;
  const float sign = half & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31) return std::bit_cast<float>((half & 0x8000u) << 16 | 0x7F800000u | fraction << 13);
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
}

Tensor read_tensor(const Entry& entry, InputFile& in, Sha256& hash) {
  Tensor tensor(entry.shape, entry.dtype);
  if (!entry.half) {
    in.read(tensor.raw(), tensor.bytes());
    hash.update(tensor.raw(), tensor.bytes());
    return tensor;
  }
  std::vector<std::uint16_t> halves(static_cast<std::size_t>(tensor.size()));
  in.read(halves.data(), halves.size() * sizeof(std::uint16_t));
  hash.update(halves.data(), halves.size() * sizeof(std::uint16_t));
  std::transform(halves.begin(), halves.end(), tensor.data<float>(), from_half);
  return tensor;
}

}  // namespace

const Tensor* TensorFile::find(const std::string& name) const {
  const auto found = tensors.find(name);
  return found == tensors.end() ? nullptr : &found->second;
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const std::string file = path.string();
  InputFile in(path);
  std::uint64_t length = 0;
  if (in.size() < sizeof(length)) refuse(file, "it is too short");
  in.read(&length, sizeof(length));
  const std::uint64_t rest = in.size() - sizeof(length);
  if (length > rest) refuse(file, "its header would be longer than the file");
  if (length > safetensors::largest_header) {
    refuse(file, fmt::format("a header of {} bytes is longer than 16 MiB", length));
  }
  std::string text(length, '\0');
  in.read(text.data(), text.size());
  if (!text.starts_with('{')) refuse(file, "its header is not a JSON object");
  const json header =
      parse_json(text, file + ": not a sound safetensors file: its header", {.depth = 3, .values = 1 << 19});

  TensorFile result;
  result.metadata = parse_metadata(header, file);
  const std::optional<std::string> digest = verify_header(result.metadata, text, file);
  Sha256 hash;
  for (const Entry& entry : parse_entries(header, rest - length, file)) {
    result.tensors[entry.name] = read_tensor(entry, in, hash);
  }
  if (digest && hash.hex() != *digest) {
    refuse(file, "its data do not have the SHA-256 digest they were written with");
  }
  result.metadata.erase(std::string(safetensors::header_digest_key));
  result.metadata.erase(std::string(safetensors::data_digest_key));
  return result;
}

}  // namespace roentgen::model

#include <bit>
#include <nlohmann/json.hpp>
#include <set>
#include <variant>

#include "engine/check.h"
#include "model/atomic_file.h"
#include "model/json.h"
#include "model/safetensors.h"
#include "model/safetensors_format.h"

namespace roentgen::model {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data are little-endian");

const char* format_name(engine::DType dtype) {
  switch (dtype) {
    case engine::DType::float32:
      return "F32";
    case engine::DType::float64:
      return "F64";
    case engine::DType::bfloat16:
      return "BF16";
    case engine::DType::int32:
      return "I32";
    case engine::DType::int64:
      return "I64";
    case engine::DType::uint8:
      return "U8";
  }
  throw std::logic_error("safetensors: no such type");
}

Tensor on_host(const Tensor& tensor) {
  const bool host = std::holds_alternative<kernels::Cpu>(tensor.device()) ||
                    std::holds_alternative<kernels::Reference>(tensor.device());
  return host ? tensor.detach() : tensor.to(kernels::Cpu{});
}

}  // namespace

void write_safetensors(const std::filesystem::path& file, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<Tensor> data;
  std::set<std::string> names;
  Sha256 hash;
  nlohmann::ordered_json header{{"__metadata__", nlohmann::ordered_json::object()}};
  std::size_t offset = 0;
  for (const NamedTensor& named : tensors) {
    engine::require(named.name != "__metadata__" && names.insert(named.name).second,
                    "safetensors: two tensors are named {}", shown(named.name));
    const Tensor& host = data.emplace_back(on_host(named.tensor));
    hash.update(host.raw(), host.bytes());
    header[named.name] = {{"dtype", format_name(host.dtype())},
                          {"shape", host.shape()},
                          {"data_offsets", {offset, offset + host.bytes()}}};
    offset += host.bytes();
  }
  auto& entries = header["__metadata__"];
  for (const auto& [key, value] : metadata) entries[key] = value;
  entries[std::string(safetensors::data_digest_key)] = hash.hex();
  entries[std::string(safetensors::header_digest_key)] = std::string(safetensors::digest_length, '0');

  // Class names are folder names, which need not be UTF-8.
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  engine::require(text.size() <= safetensors::largest_header, "safetensors: a header of {} bytes is too long",
                  text.size());
  const std::string key = '"' + std::string(safetensors::header_digest_key) + "\":\"";
  const std::size_t place = text.find(key) + key.size();
  text.replace(place, safetensors::digest_length, safetensors::header_digest(text, place));

  AtomicFile out(file);
  const std::uint64_t length = text.size();
  out.write(&length, sizeof(length));
  out.write(text);
  for (const Tensor& host : data) out.write(host.raw(), host.bytes());
  out.commit();
}

}  // namespace roentgen::model

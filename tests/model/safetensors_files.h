// Files made by hand.
#pragma once

#include <cstring>

#include "model/safetensors.h"
#include "tests/model/support.h"

namespace roentgen::model::test {

// Length, header and `data` bytes of data.
inline std::string file_of(const std::string& header, std::size_t data) {
  std::string bytes(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data, '\1');
}

// A file of ours with a few tensors.
inline std::string sample_file(const Folder& folder) {
  write_safetensors(folder / "sample",
                    {{"conv1.weight", random_tensor({4, 3, 3, 2}, engine::DType::float32, kernels::Cpu{}, 1)},
                     {"conv1.bias", random_tensor({4}, engine::DType::float64, kernels::Cpu{}, 2)},
                     {"steps", Tensor::from<std::int64_t>({7}, {1})}},
                    {{"roentgen.checkpoint", R"({"classes":["a","b"]})"}});
  return read_file(folder / "sample");
}

}  // namespace roentgen::model::test

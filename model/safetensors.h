// Weight files: https://github.com/huggingface/safetensors, read strictly. A file is refused unless its
// header is valid JSON of the format's own fields without duplicates, every tensor's size follows from its
// shape and type, and the tensors tile the data exactly. Files written here carry SHA-256 of their header and
// of their data, which are verified; files of others need not.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "model/error.h"
#include "model/sequential.h"

namespace roentgen::model {

// Tensors on the host (device cpu) by name; texts beside them.
struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;

  const Tensor* find(const std::string& name) const;  // null where absent
};

// Reads F64, F32, BF16, I64, I32 and U8; F16 becomes float32. Throws IoError where the file cannot be read
// and CheckpointError where it is damaged or of another format. Allocates no more than the file holds, and a
// header of at most 16 MiB.
TensorFile read_safetensors(const std::filesystem::path& file);

// Replaces `file` whole or not at all (model/atomic_file.h). Tensors may live on any device. Throws IoError;
// std::invalid_argument for names that occur twice.
void write_safetensors(const std::filesystem::path& file, const std::vector<NamedTensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace roentgen::model

// What the tests of the model share.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/ops.h"
#include "engine/tape.h"
#include "kernels/philox.h"
#include "model/sequential.h"

namespace roentgen::model::test {

// Values uniform in [-1, 1), the same on every device.
inline Tensor random_tensor(const Shape& shape, engine::DType dtype, const engine::Device& device,
                            std::uint32_t stream) {
  const kernels::RandomKey key{.seed = 5, .stream = stream};
  std::vector<double> values(static_cast<std::size_t>(engine::element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 2.0 * kernels::uniform(key, i) - 1.0;
  if (dtype == engine::DType::float64) return Tensor::from(values, shape, device);
  return Tensor::from(std::vector<float>(values.begin(), values.end()), shape, device);
}

inline double distance(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_doubles(), y = b.to_doubles();
  EXPECT_EQ(a.shape(), b.shape());
  double worst = 0;
  for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
    worst = std::max(worst, std::abs(x[i] - y[i]) / (1 + std::abs(y[i])));
  }
  return worst;
}

// A folder of its own that goes away with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "roentgen-test-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string read_file(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_file(const std::filesystem::path& file, const std::string& bytes) {
  std::filesystem::remove(file);  // some file systems flush a file that is cut and written again
  std::ofstream(file, std::ios::binary) << bytes;
}

// The message of the E that `f` throws; a failed test for anything else.
template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "threw another exception: " << error.what();
    return "";
  }
  ADD_FAILURE() << "did not throw";
  return "";
}

}  // namespace roentgen::model::test

// One kernel at one shape: the memory it works on, the call, and what it costs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace roentgen::bench {

using engine::DType;
using engine::Tensor;

// The batch of the recipe's network, or less: errors are computed on one image, and a smoke run only shows
// that a case works.
struct Geometry {
  std::int64_t batch = 16;
  std::int64_t shrink = 1;
  // An extent of an image or a feature map.
  std::int64_t extent(std::int64_t full) const {
    return std::max(full / shrink, std::min<std::int64_t>(full, 8));
  }
};

enum class Role {
  input,    // read
  output,   // written, and compared with the reference's
  updated,  // read and written, and compared
  hidden,   // of the device's own layout (masks): written and read, not compared
};

struct Buffer {
  enum class Content { uniform, positive, labels, bytes, maps, none };

  std::int64_t count = 0;
  DType dtype = DType::float32;
  Role role = Role::input;
  Content content = Content::none;
  std::int64_t limit = 0;  // of labels, their classes; of maps, the images' height and width
  double traffic() const;  // bytes; what is updated goes both ways
};

// Uniform in [-1, 1).
template <class T>
Buffer input(std::int64_t n) {
  return {n, engine::dtype_of<T>(), Role::input, Buffer::Content::uniform};
}
template <class T>
Buffer output(std::int64_t n) {
  return {n, engine::dtype_of<T>(), Role::output};
}
template <class T>
Buffer updated(std::int64_t n, Buffer::Content content = Buffer::Content::uniform) {
  return {n, engine::dtype_of<T>(), Role::updated, content};
}
inline Buffer labels(std::int64_t n, std::int64_t classes) {
  return {n, DType::int32, Role::input, Buffer::Content::labels, classes};
}
inline Buffer pixels(std::int64_t n) {
  return {n, DType::uint8, Role::input, Buffer::Content::bytes};
}
// Affine maps of the recipe's augmentation for n square images.
Buffer maps(std::int64_t n, std::int64_t side);
template <class T = std::uint8_t>
Buffer hidden(std::int64_t n) {
  return {n, engine::dtype_of<T>(), Role::hidden};
}

using Memory = std::vector<Tensor>;  // one tensor per buffer, flat

template <class T>
T* at(const Memory& memory, std::size_t i) {
  return memory[i].data<T>();
}

struct Case {
  std::string shape = {};  // for people
  double flops = 0;        // multiplications and additions the mathematics asks for; 0 where memory is all
  double images = 0;       // handled by one call, where that is worth a column
  std::vector<Buffer> buffers = {};
  std::function<void(const Memory&)> run = {};
  // Once per set of buffers before timing: what the forward leaves for a backward.
  std::function<void(const Memory&)> prepare = {};

  // Least traffic: everything read once and written once.
  double bytes() const;
  // Of all its memory.
  double footprint() const;
};

// Memory of a case on a device. The same numbers on every device.
Memory allocate(const Case& c, const engine::Device& device);

// Normalised mean squared error |got - want|^2 / |want|^2 of the worst compared buffer; 1e9 where that is not
// finite.
double nmse(const Case& c, const Memory& got, const Memory& want);

}  // namespace roentgen::bench

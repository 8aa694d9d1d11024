#include "bench/case.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/augment.h"
#include "kernels/philox.h"
#include "kernels/random.h"

namespace roentgen::bench {

namespace {

using Content = Buffer::Content;

kernels::RandomKey key_of(std::size_t number) {
  return {.seed = 11, .purpose = kernels::Purpose::test, .stream = static_cast<std::uint32_t>(number)};
}

template <class T, class F>
Tensor generated(std::int64_t n, F&& f) {
  std::vector<T> values(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = f(i);
  return Tensor::from(values, {n});
}

Tensor uniform(const Buffer& buffer, std::size_t number) {
  const double low = buffer.content == Content::positive ? 0 : -1;
  Tensor tensor({buffer.count}, buffer.dtype);
  if (buffer.dtype == DType::bfloat16) {
    kernels::random_uniform(kernels::Cpu{}, tensor.data<kernels::bfloat16>(), buffer.count, low, 1,
                            key_of(number));
  } else {
    kernels::random_uniform(kernels::Cpu{}, tensor.data<float>(), buffer.count, low, 1, key_of(number));
  }
  return tensor;
}

Tensor affine_maps(const Buffer& buffer) {
  std::vector<std::uint8_t> bytes;
  for (std::int64_t i = 0; i < buffer.count / std::int64_t{sizeof(kernels::Affine)}; ++i) {
    const kernels::Affine map = kernels::draw_affine({}, {}, i, buffer.limit, buffer.limit);
    const auto* begin = reinterpret_cast<const std::uint8_t*>(&map);
    bytes.insert(bytes.end(), begin, begin + sizeof(map));
  }
  return Tensor::from(bytes, {buffer.count});
}

Tensor content(const Buffer& buffer, std::size_t number) {
  const kernels::RandomKey key = key_of(number);
  switch (buffer.content) {
    case Content::uniform:
    case Content::positive:
      return uniform(buffer, number);
    case Content::labels:
      return generated<std::int32_t>(buffer.count, [&](std::size_t i) {
        return static_cast<std::int32_t>(kernels::random_bits(key, 0, i) %
                                         static_cast<std::uint32_t>(buffer.limit));
      });
    case Content::bytes:
      return generated<std::uint8_t>(buffer.count, [&](std::size_t i) {
        return static_cast<std::uint8_t>(kernels::random_bits(key, 0, i));
      });
    case Content::maps:
      return affine_maps(buffer);
    case Content::none:
      break;
  }
  return Tensor::zeros({buffer.count}, buffer.dtype);
}

std::vector<double> numbers(const Tensor& tensor) {
  const auto as_doubles = [](const auto& values) {
    return std::vector<double>(values.begin(), values.end());
  };
  switch (tensor.dtype()) {
    case DType::uint8:
      return as_doubles(tensor.to_vector<std::uint8_t>());
    case DType::int32:
      return as_doubles(tensor.to_vector<std::int32_t>());
    case DType::int64:
      return as_doubles(tensor.to_vector<std::int64_t>());
    default:
      return tensor.to_doubles();
  }
}

}  // namespace

double Buffer::traffic() const {
  const double bytes = static_cast<double>(count) * static_cast<double>(engine::size_of(dtype));
  return role == Role::updated ? 2 * bytes : bytes;
}

Buffer maps(std::int64_t n, std::int64_t side) {
  return {n * std::int64_t{sizeof(kernels::Affine)}, DType::uint8, Role::input, Content::maps, side};
}

double Case::bytes() const {
  double sum = 0;
  for (const Buffer& buffer : buffers) sum += buffer.traffic();
  return sum;
}

double Case::footprint() const {
  double sum = 0;
  for (const Buffer& b : buffers) sum += b.traffic() / (b.role == Role::updated ? 2 : 1);
  return sum;
}

Memory allocate(const Case& c, const engine::Device& device) {
  Memory memory;
  for (const Buffer& buffer : c.buffers) memory.push_back(content(buffer, memory.size()).to(device));
  if (c.prepare) c.prepare(memory);
  return memory;
}

// Stands for NaN and infinity, which JSON cannot hold.
constexpr double not_finite = 1e9;

double nmse(const Case& c, const Memory& got, const Memory& want) {
  double worst = 0;
  for (std::size_t i = 0; i < c.buffers.size(); ++i) {
    if (c.buffers[i].role != Role::output && c.buffers[i].role != Role::updated) continue;
    const std::vector<double> g = numbers(got[i]), w = numbers(want[i]);
    double error = 0, power = 0;
    for (std::size_t j = 0; j < g.size(); ++j) {
      error += (g[j] - w[j]) * (g[j] - w[j]);
      power += w[j] * w[j];
    }
    const double ratio = error == 0 ? 0 : error / power;
    worst = std::isfinite(ratio) ? std::max(worst, ratio) : not_finite;
  }
  return worst;
}

}  // namespace roentgen::bench

#include "model/initializer.h"

#include <cmath>
#include <numbers>
#include <stdexcept>
#include <utility>
#include <vector>

#include "kernels/philox.h"

namespace roentgen::model {
namespace {

constexpr std::pair<Initializer, std::string_view> names[] = {
    {Initializer::zeros, "zeros"},
    {Initializer::ones, "ones"},
    {Initializer::glorot_uniform, "glorot_uniform"},
    {Initializer::he_uniform, "he_uniform"},
    {Initializer::he_normal, "he_normal"},
};

struct Fans {
  double in = 1, out = 1;
};

Fans fans_of(const engine::Shape& shape) {
  if (shape.empty()) return {};
  double field = 1;
  for (std::size_t i = 1; i + 1 < shape.size(); ++i) field *= static_cast<double>(shape[i]);
  return {static_cast<double>(shape.back()) * field, static_cast<double>(shape.front()) * field};
}

// Uniform in (-1, 1), four numbers a block.
template <class T>
void fill_uniform(std::vector<T>& values, double limit, const kernels::RandomKey& key) {
  for (std::size_t i = 0; i < values.size(); i += 4) {
    const kernels::Philox4 r = kernels::random_block(key, key.step, i / 4);
    const std::uint32_t bits[] = {r.x, r.y, r.z, r.w};
    for (std::size_t j = 0; j < 4 && i + j < values.size(); ++j) {
      values[i + j] = static_cast<T>(limit * (2.0 * static_cast<double>(kernels::to_uniform(bits[j])) - 1.0));
    }
  }
}

// Normal (Box and Muller), drawn again where beyond two deviations.
double cut_normal(std::uint64_t element, kernels::RandomKey key) {
  for (;; ++key.step) {
    const kernels::Philox4 r = kernels::random_block(key, key.step, element);
    const double radius = std::sqrt(-2.0 * std::log(1.0 - static_cast<double>(kernels::to_uniform(r.x))));
    const double normal =
        radius * std::cos(2.0 * std::numbers::pi * static_cast<double>(kernels::to_uniform(r.y)));
    if (std::abs(normal) <= 2.0) return normal;
  }
}

template <class T>
void fill(const engine::Tensor& parameter, Initializer initializer, const kernels::RandomKey& key) {
  std::vector<T> values(static_cast<std::size_t>(parameter.size()), T{});
  const Fans fans = fans_of(parameter.shape());
  switch (initializer) {
    case Initializer::zeros:
      break;
    case Initializer::ones:
      values.assign(values.size(), T{1});
      break;
    case Initializer::glorot_uniform:
      fill_uniform(values, std::sqrt(6.0 / (fans.in + fans.out)), key);
      break;
    case Initializer::he_uniform:
      fill_uniform(values, std::sqrt(6.0 / fans.in), key);
      break;
    case Initializer::he_normal: {
      // A normal cut at two deviations keeps this part of its deviation.
      const double deviation = std::sqrt(2.0 / fans.in) / 0.87962566103423978;
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = static_cast<T>(deviation * cut_normal(i, key));
      }
      break;
    }
  }
  parameter.copy_from_host(values.data());
}

}  // namespace

std::string to_string(Initializer initializer) {
  for (const auto& [value, name] : names) {
    if (value == initializer) return std::string(name);
  }
  throw std::logic_error("to_string: no such initializer");
}

Initializer parse_initializer(std::string_view text) {
  for (const auto& [value, name] : names) {
    if (name == text) return value;
  }
  throw std::invalid_argument("initializer: none is named '" + std::string(text) + "'");
}

void initialise(const engine::Tensor& parameter, Initializer initializer, std::uint64_t seed,
                std::uint32_t stream) {
  const kernels::RandomKey key{.seed = seed, .purpose = kernels::Purpose::initialise, .stream = stream};
  if (parameter.dtype() == engine::DType::float64) {
    fill<double>(parameter, initializer, key);
  } else {
    fill<float>(parameter, initializer, key);
  }
}

}  // namespace roentgen::model

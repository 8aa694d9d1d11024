// Sampling positions and filter follow Pillow's documentation of Image.resize; rows and columns are
// independent.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "data/image.h"

namespace roentgen::data {
namespace {

// The taps of one output position: `weights` for the inputs from `first` on.
struct Taps {
  int first = 0;
  std::vector<float> weights;
};

// Triangle of half width max(scale, 1) about each output's centre, cut at the border and normalised.
std::vector<Taps> triangle_taps(int from, int to) {
  const double scale = static_cast<double>(from) / to, reach = std::max(scale, 1.0);
  std::vector<Taps> all(static_cast<std::size_t>(to));
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - reach + 0.5));
    const int last = std::min(from, static_cast<int>(centre + reach + 0.5));
    Taps& taps = all[static_cast<std::size_t>(i)];
    taps.first = first;
    double sum = 0;
    for (int j = first; j < last; ++j) sum += std::max(0.0, 1 - std::abs(j + 0.5 - centre) / reach);
    for (int j = first; j < last; ++j) {
      taps.weights.push_back(static_cast<float>(std::max(0.0, 1 - std::abs(j + 0.5 - centre) / reach) / sum));
    }
  }
  return all;
}

// One row at a time, so that the extra memory is one row of the source whatever its shape.
void resize_antialias(const Image& image, int height, int width, std::uint8_t* out) {
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::size_t row_size = static_cast<std::size_t>(image.width) * channels;
  const std::vector<Taps> columns = triangle_taps(image.width, width);
  std::vector<float> row(row_size);
  for (const Taps& taps : triangle_taps(image.height, height)) {
    std::fill(row.begin(), row.end(), 0.0f);
    const std::uint8_t* source = image.pixels.data() + static_cast<std::size_t>(taps.first) * row_size;
    for (const float weight : taps.weights) {
      for (std::size_t i = 0; i < row_size; ++i) row[i] += weight * static_cast<float>(source[i]);
      source += row_size;
    }
    for (const Taps& column : columns) {
      for (std::size_t c = 0; c < channels; ++c) {
        const float* pixel = row.data() + static_cast<std::size_t>(column.first) * channels + c;
        float sum = 0.5f;
        for (const float weight : column.weights) sum += weight * *pixel, pixel += channels;
        *out++ = static_cast<std::uint8_t>(std::clamp(sum, 0.0f, 255.0f));
      }
    }
  }
}

// Pillow adds up the positions in double precision; at ties its rounding decides, so it is done alike.
std::vector<std::size_t> nearest_positions(int from, int to) {
  const double scale = static_cast<double>(from) / to;
  std::vector<std::size_t> positions(static_cast<std::size_t>(to));
  double position = scale * 0.5;
  for (std::size_t& p : positions) {
    p = static_cast<std::size_t>(std::min(position, from - 1.0));
    position += scale;
  }
  return positions;
}

void resize_nearest(const Image& image, int height, int width, std::uint8_t* out) {
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::vector<std::size_t> columns = nearest_positions(image.width, width);
  for (const std::size_t y : nearest_positions(image.height, height)) {
    const std::uint8_t* row = image.pixels.data() + y * static_cast<std::size_t>(image.width) * channels;
    for (const std::size_t x : columns) out = std::copy_n(row + x * channels, channels, out);
  }
}

}  // namespace

std::string_view to_string(Resize resize) {
  return resize == Resize::nearest ? "nearest" : "antialias";
}

void resize(const Image& image, int height, int width, Resize how, std::span<std::uint8_t> out) {
  const std::int64_t area = std::int64_t{height} * width * image.channels;
  if (image.pixels.empty() || height < 1 || width < 1 || static_cast<std::int64_t>(out.size()) != area) {
    throw std::invalid_argument(fmt::format("resize: [{}, {}, {}] to [{}, {}] in {} bytes", image.height,
                                            image.width, image.channels, height, width, out.size()));
  }
  if (height == image.height && width == image.width) {
    std::copy(image.pixels.begin(), image.pixels.end(), out.begin());
  } else if (how == Resize::nearest) {
    resize_nearest(image, height, width, out.data());
  } else {
    resize_antialias(image, height, width, out.data());
  }
}

Image resize(const Image& image, int height, int width, Resize how) {
  Image result{height, width, image.channels, {}, image.source};
  result.pixels.resize(static_cast<std::size_t>(std::max(0, height)) *
                       static_cast<std::size_t>(std::max(0, width)) *
                       static_cast<std::size_t>(image.channels));
  resize(image, height, width, how, result.pixels);
  return result;
}

}  // namespace roentgen::data

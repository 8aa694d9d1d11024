// What phantom X-rays are drawn with: a square field of floats and random draws. Coordinates run from -1
// (left, top) to 1, so that a drawing is the same at every size but for its noise.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/philox.h"

namespace roentgen::data {

struct Point {
  float x, y;
};

// A running stream of random numbers.
class Draws {
 public:
  explicit Draws(const kernels::RandomKey& key) : key_(key) {}
  float uniform(float low, float high) { return low + (high - low) * kernels::uniform(key_, next_++); }
  int integer(int low, int high) {  // both ends included
    return low + static_cast<int>(kernels::multiply_high(kernels::random_bits(key_, key_.step, next_++),
                                                         static_cast<std::uint32_t>(high - low + 1)));
  }
  bool chance(float probability) { return uniform(0, 1) < probability; }

 private:
  kernels::RandomKey key_;
  std::uint64_t next_ = 0;
};

class Canvas {
 public:
  explicit Canvas(int size)
      : size_(size), values_(static_cast<std::size_t>(size) * static_cast<std::size_t>(size)) {}

  int size() const { return size_; }
  float& at(int row, int column) { return values_[offset(row, column)]; }
  float at(int row, int column) const { return values_[offset(row, column)]; }
  // The coordinate of a row's or column's centre.
  float coordinate(int i) const { return (2 * static_cast<float>(i) + 1) / static_cast<float>(size_) - 1; }

  // Adds a line from `from` to `to` with a Gaussian profile of standard deviation `width`.
  void add_stroke(Point from, Point to, float width, float amount);
  // Adds a Gaussian spot, `radius` its standard deviations.
  void add_spot(Point centre, Point radius, float amount);
  // Raises all values of a disc to at least `value`.
  void fill_disc(Point centre, float radius, float value);
  // Smooth noise about 0, within -1 and 1: `cells` lattice cells a side, each of `octaves` twice as fine as
  // and weaker than the one before.
  static Canvas noise(int size, int cells, int octaves, Draws& draws);
  // Turned by `angle` (radians) about the centre, bilinear, the border repeated.
  Canvas rotated(float angle) const;

 private:
  std::size_t offset(int row, int column) const {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(size_) + static_cast<std::size_t>(column);
  }
  // The first row or column whose centre is at `coordinate` or after it, within the canvas.
  int index(float coordinate) const;

  int size_;
  std::vector<float> values_;
};

// 0 up to `zero`, 1 from `one` on, smooth in between; `zero` may be the larger.
inline float smooth_step(float zero, float one, float x) {
  const float t = std::clamp((x - zero) / (one - zero), 0.0f, 1.0f);
  return t * t * (3 - 2 * t);
}

}  // namespace roentgen::data

#include "data/phantom_canvas.h"

#include <algorithm>
#include <cmath>

namespace roentgen::data {

int Canvas::index(float coordinate) const {
  const float position = std::ceil(((coordinate + 1) * static_cast<float>(size_) - 1) / 2);
  return static_cast<int>(std::clamp(position, 0.0f, static_cast<float>(size_)));
}

void Canvas::add_stroke(Point from, Point to, float width, float amount) {
  const float reach = 3 * width, dx = to.x - from.x, dy = to.y - from.y;
  const float length2 = std::max(dx * dx + dy * dy, 1e-12f);
  const int last_row = index(std::max(from.y, to.y) + reach),
            last_column = index(std::max(from.x, to.x) + reach);
  for (int row = index(std::min(from.y, to.y) - reach); row < last_row; ++row) {
    const float y = coordinate(row) - from.y;
    for (int column = index(std::min(from.x, to.x) - reach); column < last_column; ++column) {
      const float x = coordinate(column) - from.x;
      const float along = (x * dx + y * dy) / length2;
      // Half open: strokes that go on from one another do not add up where they meet.
      if (along < 0 || along >= 1) continue;
      const float ex = x - along * dx, ey = y - along * dy, distance2 = ex * ex + ey * ey;
      if (distance2 < reach * reach) at(row, column) += amount * std::exp(-distance2 / (2 * width * width));
    }
  }
}

void Canvas::add_spot(Point centre, Point radius, float amount) {
  const int last_row = index(centre.y + 3 * radius.y), last_column = index(centre.x + 3 * radius.x);
  for (int row = index(centre.y - 3 * radius.y); row < last_row; ++row) {
    const float y = (coordinate(row) - centre.y) / radius.y;
    for (int column = index(centre.x - 3 * radius.x); column < last_column; ++column) {
      const float x = (coordinate(column) - centre.x) / radius.x;
      at(row, column) += amount * std::exp(-(x * x + y * y) / 2);
    }
  }
}

void Canvas::fill_disc(Point centre, float radius, float value) {
  for (int row = index(centre.y - radius); row < index(centre.y + radius); ++row) {
    for (int column = index(centre.x - radius); column < index(centre.x + radius); ++column) {
      const float x = coordinate(column) - centre.x, y = coordinate(row) - centre.y;
      if (x * x + y * y < radius * radius) at(row, column) = std::max(at(row, column), value);
    }
  }
}

Canvas Canvas::noise(int size, int cells, int octaves, Draws& draws) {
  Canvas result(size);
  const auto n = static_cast<std::size_t>(size);
  float weight = 1, total = 0;
  for (int octave = 0; octave < octaves; ++octave, cells *= 2, weight *= 0.5f) {
    const std::size_t side = static_cast<std::size_t>(cells) + 1;
    std::vector<float> lattice(side * side);
    for (float& value : lattice) value = draws.uniform(-1, 1);
    std::vector<std::size_t> cell(n);
    std::vector<float> part(n);
    for (std::size_t i = 0; i < n; ++i) {
      const float position = static_cast<float>(i) * static_cast<float>(cells) / static_cast<float>(size);
      cell[i] = static_cast<std::size_t>(position);
      part[i] = smooth_step(0, 1, position - std::floor(position));
    }
    for (std::size_t row = 0; row < n; ++row) {
      const float* upper = lattice.data() + cell[row] * side;
      for (std::size_t column = 0; column < n; ++column) {
        const std::size_t c = cell[column];
        const float top = upper[c] + part[column] * (upper[c + 1] - upper[c]);
        const float bottom = upper[side + c] + part[column] * (upper[side + c + 1] - upper[side + c]);
        result.values_[row * n + column] += weight * (top + (bottom - top) * part[row]);
      }
    }
    total += weight;
  }
  for (float& value : result.values_) value /= total;
  return result;
}

Canvas Canvas::rotated(float angle) const {
  Canvas result(size_);
  const float c = std::cos(angle), s = std::sin(angle), half = static_cast<float>(size_ - 1) / 2;
  for (int row = 0; row < size_; ++row) {
    for (int column = 0; column < size_; ++column) {
      const float x = static_cast<float>(column) - half, y = static_cast<float>(row) - half;
      const float u = std::clamp(half + c * x - s * y, 0.0f, 2 * half);
      const float v = std::clamp(half + s * x + c * y, 0.0f, 2 * half);
      const int left = std::min(static_cast<int>(u), size_ - 2),
                top = std::min(static_cast<int>(v), size_ - 2);
      const float fu = u - static_cast<float>(left), fv = v - static_cast<float>(top);
      const float upper = at(top, left) + fu * (at(top, left + 1) - at(top, left));
      const float lower = at(top + 1, left) + fu * (at(top + 1, left + 1) - at(top + 1, left));
      result.at(row, column) = upper + fv * (lower - upper);
    }
  }
  return result;
}

}  // namespace roentgen::data

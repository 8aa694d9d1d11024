#include "data/phantom.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "data/phantom_body.h"
#include "data/phantom_film.h"

namespace roentgen::data {
namespace {

// Adds weight(row, column, x, y) inside the lungs, softly at their borders.
template <class Weight>
void add_in_lungs(const Chest& chest, Canvas& canvas, const Weight& weight) {
  for (int row = 0; row < canvas.size(); ++row) {
    const float y = canvas.coordinate(row);
    for (int column = 0; column < canvas.size(); ++column) {
      const float x = canvas.coordinate(column), lung = chest.lung(x, y);
      if (lung > 0) canvas.at(row, column) += lung * weight(row, column, x, y);
    }
  }
}

// Ground glass in patches along the chest wall of both lungs, mostly in their lower parts.
void add_patches(const Chest& chest, Canvas& canvas, Draws& draws) {
  Canvas patches(canvas.size());
  const float severity = draws.uniform(0.38f, 0.60f);
  for (int side = 0; side < 2; ++side) {
    const float sign = side == 0 ? -1.0f : 1.0f,
                height = chest.dome[static_cast<std::size_t>(side)] - chest.apex;
    const int count = draws.integer(3, 6);
    for (int i = 0; i < count; ++i) {
      const float y = chest.apex + height * draws.uniform(0.35f, 1.0f);
      const float x = chest.lateral_border(side, y) * draws.uniform(0.68f, 0.95f);
      patches.add_spot({chest.midline + sign * x, y},
                       {draws.uniform(0.05f, 0.10f), draws.uniform(0.06f, 0.13f)},
                       severity * draws.uniform(0.7f, 1.2f));
    }
  }
  const Canvas texture = Canvas::noise(canvas.size(), 9, 3, draws);
  add_in_lungs(chest, canvas, [&](int row, int column, float, float) {
    const float ragged = std::clamp(0.85f + 1.5f * texture.at(row, column), 0.0f, 1.6f);
    return 0.7f * std::tanh(patches.at(row, column) * ragged / 0.7f);
  });
}

// A net of fine lines all over both lungs, denser about the hila.
void add_net(const Chest& chest, Canvas& canvas, Draws& draws) {
  const float severity = draws.uniform(0.16f, 0.28f), haze = draws.uniform(0.06f, 0.12f);
  const Canvas coarse = Canvas::noise(canvas.size(), draws.integer(17, 23), 2, draws);
  const Canvas fine = Canvas::noise(canvas.size(), draws.integer(34, 44), 1, draws);
  const Canvas where = Canvas::noise(canvas.size(), 4, 2, draws);
  add_in_lungs(chest, canvas, [&](int row, int column, float x, float y) {
    // The zero crossings of noise are closed, thin lines.
    const float lines = std::max(0.0f, 1 - 4 * std::abs(coarse.at(row, column))) +
                        0.8f * std::max(0.0f, 1 - 3 * std::abs(fine.at(row, column)));
    const Point hilum = chest.hilum(x < chest.midline ? 0 : 1);
    const float near = std::exp(-2.5f * ((x - hilum.x) * (x - hilum.x) + (y - hilum.y) * (y - hilum.y)));
    return (haze + severity * lines) * (0.55f + 0.45f * near) *
           std::max(0.2f, 1 + 1.3f * where.at(row, column));
  });
}

}  // namespace

Image phantom(PhantomKind kind, int size, std::uint64_t seed, std::uint32_t index) {
  if (size < 32 || size > 4096) throw std::invalid_argument(fmt::format("phantom: size {}", size));
  // A stream for each part, so that what one draws does not shift another's numbers.
  const auto key = [&](std::uint32_t part) {
    return kernels::RandomKey{seed, kernels::Purpose::phantom, static_cast<std::uint32_t>(kind) * 8 + part,
                              index};
  };
  Draws proportions(key(0)), anatomy(key(1)), finding(key(2)), film(key(3)), veil_draws(key(4)),
      lines(key(5));
  const Chest chest(proportions);
  Canvas canvas = draw_chest(chest, size, anatomy);

  // Fat, breasts and posture veil the lungs of the healthy and the ill by as much as a finding does.
  const Canvas veil = Canvas::noise(size, 3, 2, veil_draws);
  const float depth = veil_draws.uniform(0.0f, 0.06f), everywhere = veil_draws.uniform(-0.03f, 0.04f);
  const float breasts = veil_draws.chance(0.4f) ? veil_draws.uniform(0.03f, 0.12f) : 0.0f;
  for (const float side : {-1.0f, 1.0f}) {
    canvas.add_spot({chest.midline + side * 0.5f * chest.width, chest.dome[0] - 0.02f}, {0.2f, 0.2f},
                    breasts);
  }
  add_in_lungs(chest, canvas,
               [&](int row, int column, float, float) { return everywhere + depth * veil.at(row, column); });

  if (kind == PhantomKind::covid) add_patches(chest, canvas, finding);
  if (kind == PhantomKind::viral_pneumonia) add_net(chest, canvas, finding);
  canvas = canvas.rotated(lines.uniform(-0.07f, 0.07f));
  draw_lines(chest, canvas, lines);
  return expose(canvas, film, key(6));
}

}  // namespace roentgen::data

#include "data/phantom_film.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace roentgen::data {
namespace {

// 5 x 7 dots.
constexpr std::array<const char*, 7> letter_l = {"#....", "#....", "#....", "#....",
                                                 "#....", "#....", "#####"};
constexpr std::array<const char*, 7> letter_r = {"####.", "#...#", "#...#", "####.",
                                                 "#.#..", "#..#.", "#...#"};

// Side markers are of lead: white, in an upper corner, not quite upright.
void draw_letter(Canvas& canvas, Draws& draws) {
  const bool left = draws.chance(0.5f);
  const auto& dots = left ? letter_l : letter_r;
  const float dot = draws.uniform(0.012f, 0.022f), angle = draws.uniform(-0.3f, 0.3f);
  const float c = std::cos(angle), s = std::sin(angle);
  const Point corner{(left ? 1.0f : -1.0f) * draws.uniform(0.75f, 0.86f), draws.uniform(-0.9f, -0.6f)};
  const float brightness = draws.uniform(0.8f, 1.0f);
  for (int row = 0; row < canvas.size(); ++row) {
    for (int column = 0; column < canvas.size(); ++column) {
      const float x = canvas.coordinate(column) - corner.x, y = canvas.coordinate(row) - corner.y;
      const int u = static_cast<int>(std::floor((c * x + s * y) / dot + 2.5f));
      const int v = static_cast<int>(std::floor((c * y - s * x) / dot + 3.5f));
      if (u < 0 || u > 4 || v < 0 || v > 6 || dots[static_cast<std::size_t>(v)][u] != '#') continue;
      canvas.at(row, column) = std::max(canvas.at(row, column), brightness);
    }
  }
}

void draw_curve(Canvas& canvas, Point from, Point bend, Point to, float width, float amount) {
  Point last = from;
  for (int i = 1; i <= 24; ++i) {
    const float t = static_cast<float>(i) / 24, u = 1 - t;
    const Point next{u * u * from.x + 2 * u * t * bend.x + t * t * to.x,
                     u * u * from.y + 2 * u * t * bend.y + t * t * to.y};
    canvas.add_stroke(last, next, width, amount);
    last = next;
  }
}

}  // namespace

void draw_lines(const Chest& chest, Canvas& canvas, Draws& draws) {
  if (draws.chance(0.35f)) {
    const int electrodes = draws.integer(1, 3);
    for (int i = 0; i < electrodes; ++i) {
      const Point at{draws.uniform(-0.7f, 0.7f), draws.uniform(-0.7f, 0.5f)};
      const Point bend{at.x + draws.uniform(-0.4f, 0.4f), at.y + draws.uniform(0.1f, 0.5f)};
      const Point edge{draws.chance(0.5f) ? 1.1f : -1.1f, draws.uniform(-0.2f, 1.0f)};
      draw_curve(canvas, at, bend, edge, 0.006f, 0.22f);
      canvas.fill_disc(at, draws.uniform(0.025f, 0.035f), 0.95f);
    }
  }
  if (draws.chance(0.25f)) {
    const float end = chest.hilum(0).y - draws.uniform(0.05f, 0.2f),
                x = chest.midline + draws.uniform(-0.02f, 0.02f);
    draw_curve(canvas, {x + draws.uniform(-0.05f, 0.05f), -1.1f}, {x, -0.8f}, {x, end}, 0.010f, 0.16f);
  }
}

Image expose(const Canvas& canvas, Draws& draws, const kernels::RandomKey& noise) {
  const int size = canvas.size();
  const float dose = draws.uniform(0.003f, 0.013f), grain = draws.uniform(0, 1);
  const float black = draws.uniform(0.04f, 0.14f), white = draws.uniform(0.82f, 1.04f);
  const float gamma = draws.uniform(0.8f, 1.25f), top = draws.uniform(0.82f, 1.0f),
              bottom = draws.uniform(0, 0.08f);
  const Point shade{draws.uniform(-0.09f, 0.09f), draws.uniform(-0.06f, 0.06f)};
  const bool collimated = draws.chance(0.25f), marked = draws.chance(0.7f);
  const std::array<float, 4> blades = {draws.uniform(0.9f, 1.05f), draws.uniform(0.9f, 1.05f),
                                       draws.uniform(0.9f, 1.05f), draws.uniform(0.9f, 1.05f)};

  // Few photons pass what is dense: its noise is larger. Neighbours share some of it, as in a phosphor.
  Canvas grains(size);
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      const auto pixel = static_cast<std::uint64_t>(row) * static_cast<std::uint64_t>(size) +
                         static_cast<std::uint64_t>(column);
      const kernels::Philox4 r = kernels::random_block(noise, noise.step, pixel);
      grains.at(row, column) =
          1.7f * (kernels::to_uniform(r.x) + kernels::to_uniform(r.y) + kernels::to_uniform(r.z) +
                  kernels::to_uniform(r.w) - 2);  // close to normal, deviation 1
    }
  }
  Canvas grey(size);
  for (int row = 0; row < size; ++row) {
    const float y = canvas.coordinate(row);
    for (int column = 0; column < size; ++column) {
      const float x = canvas.coordinate(column);
      const float before = grains.at(std::max(row - 1, 0), column) + grains.at(row, std::max(column - 1, 0));
      const float attenuation = canvas.at(row, column);
      const float sigma = dose * std::exp(1.2f * attenuation);
      float value =
          attenuation + shade.x * x + shade.y * y + sigma * (grains.at(row, column) + 0.5f * grain * before);
      value = std::pow(std::clamp((value - black) / (white - black), 0.0f, 1.0f), gamma);
      value = bottom + (top - bottom) * value;
      if (collimated && (x < -blades[0] || x > blades[1] || y < -blades[2] || y > blades[3])) value = 0.02f;
      grey.at(row, column) = value;
    }
  }
  if (marked) draw_letter(grey, draws);

  Image image{size, size, 1, {}, {}};
  image.pixels.reserve(static_cast<std::size_t>(size) * static_cast<std::size_t>(size));
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      image.pixels.push_back(
          static_cast<std::uint8_t>(std::clamp(255 * grey.at(row, column) + 0.5f, 0.0f, 255.0f)));
    }
  }
  return image;
}

}  // namespace roentgen::data

#include "data/phantom_body.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace roentgen::data {
namespace {

constexpr float pi = std::numbers::pi_v<float>;
float sign_of(int side) {
  return side == 0 ? -1.0f : 1.0f;
}

// The trunk with neck and shoulders: thick in the middle, thin towards the skin.
float soft_tissue(const Chest& chest, float x, float y) {
  const float a = std::abs(x - chest.midline);
  const float neck = 0.26f * chest.width / 0.7f;
  const float slope = (chest.shoulder + 0.98f) / (0.95f - neck);
  const float above = (y + 0.98f) - slope * (a - neck);  // below the line from neck to shoulder
  const float inside = std::min(above + 0.02f, chest.body + 0.35f * smooth_step(0.1f, -0.7f, y) - a);
  const float roundness = 1 - 0.35f * std::pow(std::min(a / chest.body, 1.0f), 3.0f);
  return smooth_step(0, 0.12f, inside) * roundness * (0.62f + 0.1f * y);
}

void add_spine(const Chest& chest, Canvas& canvas, Draws& draws) {
  const float step = draws.uniform(0.125f, 0.16f), half = draws.uniform(0.055f, 0.075f),
              start = draws.uniform(0, 1);
  const float contrast = draws.uniform(0.05f, 0.11f);
  for (int row = 0; row < canvas.size(); ++row) {
    const float phase = canvas.coordinate(row) / step + start;
    const float disc = 0.55f + 0.45f * smooth_step(0.04f, 0.2f, std::abs(phase - std::round(phase)));
    for (int column = 0; column < canvas.size(); ++column) {
      const float a = std::abs(canvas.coordinate(column) - chest.midline);
      if (a < 2 * half) canvas.at(row, column) += contrast * disc * smooth_step(1.3f * half, 0.8f * half, a);
    }
  }
}

// A rib is a loop seen at a slant: the back half high and distinct, the front half lower, fading to
// cartilage.
void add_ribs(const Chest& chest, Canvas& canvas, Draws& draws) {
  const float first = chest.apex + 0.03f;
  const float spacing =
      (std::max(chest.dome[0], chest.dome[1]) + 0.25f - first) / static_cast<float>(chest.ribs);
  for (int rib = 0; rib < chest.ribs; ++rib) {
    const float level = first + spacing * (static_cast<float>(rib) + draws.uniform(-0.06f, 0.06f));
    for (int side = 0; side < 2; ++side) {
      const float reach = 1.03f * chest.lateral_border(side, level + 0.12f) + 0.02f;
      const float drop = chest.rib_slope * (0.6f + 0.05f * static_cast<float>(rib));
      const float width = chest.rib_width * draws.uniform(0.9f, 1.1f);
      for (int column = 0; column < canvas.size(); ++column) {
        const float a = (canvas.coordinate(column) - chest.midline) * sign_of(side) / reach;
        if (a < 0.06f || a > 1) continue;
        const float arch = std::sqrt(1 - a * a);
        const float back = level + drop * a * a - 0.05f * std::sin(pi * a) + 0.02f;
        const float front = level + drop + 0.30f * (1 - a) + 0.10f * arch;
        const float edge = std::min(2.2f, 1 / std::max(arch, 0.1f));  // seen along its length
        const auto add = [&](float centre, float half, float amount) {
          const int begin = std::max(
              0, static_cast<int>((centre - 1.5f * half + 1) * static_cast<float>(canvas.size()) / 2));
          for (int row = begin; row < canvas.size(); ++row) {
            const float d = std::abs(canvas.coordinate(row) - centre) / half;
            if (d > 1.3f && canvas.coordinate(row) > centre) break;
            // Bright borders, the marrow darker.
            canvas.at(row, column) +=
                amount * smooth_step(1.25f, 0.85f, d) * (0.65f + 0.35f * smooth_step(0.3f, 0.9f, d));
          }
        };
        add(back, width * (0.85f + 0.15f * edge), chest.rib_contrast * (0.8f + 0.2f * edge));
        add(front, width * 0.9f, 0.55f * chest.rib_contrast * smooth_step(0.35f, 0.75f, a));
      }
    }
  }
}

void add_clavicles(const Chest& chest, Canvas& canvas, Draws& draws) {
  const float level = chest.apex + draws.uniform(0.06f, 0.16f), rise = draws.uniform(0.02f, 0.16f);
  for (int side = 0; side < 2; ++side) {
    const float tilt = rise + draws.uniform(-0.03f, 0.03f), width = draws.uniform(0.016f, 0.022f);
    const auto point = [&](float t) {
      const float x = 0.07f + t * (1.15f * chest.width - 0.07f);
      return Point{chest.midline + sign_of(side) * x, level - tilt * t + 0.035f * std::sin(2 * pi * t)};
    };
    for (int i = 0; i < 16; ++i) {
      const float t = static_cast<float>(i) / 16;
      canvas.add_stroke(point(t), point(t + 1.0f / 16), width * (1.5f - 0.5f * std::sin(pi * t)), 0.17f);
    }
    // Shoulder blade, far out.
    canvas.add_spot({chest.midline + sign_of(side) * 1.1f * chest.width, level + 0.3f}, {0.08f, 0.2f}, 0.08f);
  }
}

// Vessels fork away from the hilum and thin out.
void add_vessels(const Chest& chest, Canvas& canvas, Draws& draws) {
  struct Branch {
    Point at;
    float angle, width, amount;
    int level;
  };
  for (int side = 0; side < 2; ++side) {
    const Point hilum = chest.hilum(side);
    canvas.add_spot(hilum, {draws.uniform(0.035f, 0.06f), draws.uniform(0.07f, 0.11f)},
                    draws.uniform(0.08f, 0.16f));
    std::vector<Branch> branches;
    const int trunks = draws.integer(8, 11);
    for (int i = 0; i < trunks; ++i) {
      const float angle =
          -1.35f + 2.75f * (static_cast<float>(i) + draws.uniform(0, 1)) / static_cast<float>(trunks);
      branches.push_back({{hilum.x, hilum.y + 0.08f * angle},
                          angle,
                          draws.uniform(0.009f, 0.015f),
                          draws.uniform(0.08f, 0.13f),
                          0});
    }
    while (!branches.empty()) {
      Branch branch = branches.back();
      branches.pop_back();
      const int steps = draws.integer(3, 5);
      for (int i = 0; i < steps; ++i) {
        const float length = draws.uniform(0.03f, 0.055f);
        branch.angle += draws.uniform(-0.22f, 0.22f);
        const Point to{branch.at.x + sign_of(side) * length * std::cos(branch.angle),
                       branch.at.y + length * std::sin(branch.angle)};
        if (chest.lung_depth(side, to.x, to.y) < 0.04f && i + branch.level > 0) break;
        canvas.add_stroke(branch.at, to, branch.width, branch.amount);
        branch.at = to;
        branch.width *= 0.93f;
        branch.amount *= 0.95f;
      }
      if (branch.level == 3) continue;
      for (int fork = -1; fork <= 1; fork += 2) {
        branches.push_back({branch.at, branch.angle + static_cast<float>(fork) * draws.uniform(0.15f, 0.5f),
                            branch.width * 0.75f, branch.amount * 0.8f, branch.level + 1});
      }
    }
  }
}

}  // namespace

Chest::Chest(Draws& draws) {
  midline = draws.uniform(-0.07f, 0.07f);
  width = draws.uniform(0.62f, 0.80f);
  apex = draws.uniform(-0.86f, -0.68f);
  const float base = draws.uniform(0.36f, 0.62f);
  dome = {base - draws.uniform(0, 0.06f), base + draws.uniform(0, 0.07f)};  // the liver lifts the left one
  mediastinum = draws.uniform(0.11f, 0.17f);
  heart_radius = {width * draws.uniform(0.46f, 0.62f), width * draws.uniform(0.32f, 0.44f)};
  heart_tilt = draws.uniform(0.5f, 0.95f);
  heart = {midline + width * draws.uniform(0.10f, 0.20f), base - draws.uniform(0.14f, 0.24f)};
  body = width + draws.uniform(0.10f, 0.36f);
  shoulder = draws.uniform(-0.78f, -0.5f);
  ribs = draws.integer(9, 11);
  rib_slope = draws.uniform(0.06f, 0.26f);
  rib_width = draws.uniform(0.026f, 0.036f);
  rib_contrast = draws.uniform(0.06f, 0.13f);
}

float Chest::lateral_border(int side, float y) const {
  const float t = (y - apex) / (dome[static_cast<std::size_t>(side)] - apex);
  return width * std::pow(std::sin(pi / 2 * std::clamp(1.1f * t + 0.01f, 0.001f, 1.0f)), 0.42f);
}

float Chest::heart_distance(float x, float y) const {
  const float c = std::cos(heart_tilt), s = std::sin(heart_tilt);
  const float u = (c * (x - heart.x) + s * (y - heart.y)) / heart_radius.x;
  const float v = (c * (y - heart.y) - s * (x - heart.x)) / heart_radius.y;
  return std::sqrt(u * u + v * v);
}

float Chest::lung_depth(int side, float x, float y) const {
  const float a = (x - midline) * sign_of(side);
  const float arch = (a - 0.45f * width) / width;
  const float floor = dome[static_cast<std::size_t>(side)] + 0.75f * arch * arch;
  float depth = std::min({a - 0.8f * mediastinum, lateral_border(side, y) - a, 0.8f * (y - apex), floor - y});
  if (depth > 0) {
    depth = std::min(depth, (heart_distance(x, y) - 1) * heart_radius.y);
  }
  return depth;
}

float Chest::lung(float x, float y) const {
  return smooth_step(-0.01f, 0.05f, lung_depth(x < midline ? 0 : 1, x, y));
}

Point Chest::hilum(int side) const {
  return {midline + sign_of(side) * (mediastinum + 0.05f), apex + 0.48f * (dome[0] - apex)};
}

Canvas draw_chest(const Chest& chest, int size, Draws& draws) {
  Canvas canvas(size);
  add_ribs(chest, canvas, draws);
  add_vessels(chest, canvas, draws);
  const float air = draws.uniform(0.36f, 0.46f);
  const float knob = draws.uniform(0.05f, 0.09f), knob_y = chest.apex + draws.uniform(0.34f, 0.42f);
  const float bubble = draws.chance(0.5f) ? draws.uniform(0.1f, 0.22f) : 0.0f;
  const Point bubble_at{chest.midline + draws.uniform(0.3f, 0.45f),
                        chest.dome[1] + draws.uniform(0.12f, 0.2f)};
  const float windpipe = draws.uniform(0.08f, 0.14f);
  for (int row = 0; row < size; ++row) {
    const float y = canvas.coordinate(row);
    for (int column = 0; column < size; ++column) {
      const float x = canvas.coordinate(column), a = std::abs(x - chest.midline);
      const int side = x < chest.midline ? 0 : 1;
      const float tissue = soft_tissue(chest, x, y);
      const float depth = chest.lung_depth(side, x, y), lung = smooth_step(-0.01f, 0.05f, depth);
      float value = tissue - air * lung * (0.78f + 0.22f * smooth_step(0, 0.25f, depth));
      const float body = smooth_step(0, 0.2f, tissue);
      // The chest wall is seen along its length.
      value += 0.10f * body * smooth_step(-0.09f, -0.02f, depth) * smooth_step(0.02f, -0.01f, depth);
      // Bones and vessels show in the lungs and drown in the belly.
      value += canvas.at(row, column) * body * (0.5f + 0.5f * lung);
      const float flare = chest.mediastinum * (1 + 0.25f * smooth_step(-0.3f, -0.9f, y));
      value += 0.22f * body * smooth_step(flare + 0.06f, flare - 0.05f, a);
      value += 0.17f * body * smooth_step(1.15f, 0.7f, chest.heart_distance(x, y));
      const float kx = x - chest.midline - chest.mediastinum, ky = y - knob_y;
      value += 0.16f * smooth_step(1.2f * knob, 0.6f * knob, std::sqrt(kx * kx + ky * ky));
      value -=
          windpipe * smooth_step(0.055f, 0.025f, a) * smooth_step(chest.hilum(0).y, chest.apex + 0.1f, y);
      const float arch = (a - 0.45f * chest.width) / chest.width;
      const float floor = chest.dome[static_cast<std::size_t>(side)] + 0.75f * arch * arch;
      value += 0.2f * body * smooth_step(0, 0.25f, y - floor);
      if (bubble > 0) {
        const float bx = (x - bubble_at.x) / 0.13f, by = (y - bubble_at.y) / 0.07f;
        value -= bubble * smooth_step(1.15f, 0.7f, std::sqrt(bx * bx + by * by));
      }
      canvas.at(row, column) = value;
    }
  }
  add_spine(chest, canvas, draws);
  add_clavicles(chest, canvas, draws);
  return canvas;
}

}  // namespace roentgen::data

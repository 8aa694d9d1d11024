// The chest of a phantom X-ray: its proportions and the attenuation it causes, without findings.
#pragma once

#include <array>

#include "data/phantom_canvas.h"

namespace roentgen::data {

// Proportions of one chest in canvas coordinates. Side 0 is the image's left, 1 its right, where the heart
// points.
struct Chest {
  explicit Chest(Draws& draws);

  float midline, width;       // x of the spine; half width of the rib cage at its widest
  float apex;                 // y of the lungs' tops
  std::array<float, 2> dome;  // y of the diaphragm's domes
  float mediastinum;          // half width
  Point heart, heart_radius;  // an ellipse, x its longer axis, which points down to side 1 by `heart_tilt`
  float heart_tilt;
  float body;      // half width of the trunk
  float shoulder;  // y of the shoulders' outer end
  int ribs;        // pairs seen
  float rib_slope, rib_width, rib_contrast;

  // How deep inside a lung (x, y) lies: about its distance from the border, negative outside.
  float lung_depth(int side, float x, float y) const;
  // 0 at the heart's centre, 1 at its border.
  float heart_distance(float x, float y) const;
  // 1 inside the lungs, 0 outside, soft at the border.
  float lung(float x, float y) const;
  // x of the rib cage's inner border at y.
  float lateral_border(int side, float y) const;
  Point hilum(int side) const;
};

// Attenuation by soft tissue, lungs, heart, spine, ribs, clavicles and vessels: 0 is air, about 1 the
// densest.
Canvas draw_chest(const Chest& chest, int size, Draws& draws);

}  // namespace roentgen::data

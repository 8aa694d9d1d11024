// What lies on a phantom X-ray besides the chest, and how it is recorded.
#pragma once

#include "data/image.h"
#include "data/phantom_body.h"

namespace roentgen::data {

// Electrodes with leads, a tube in the windpipe, each in some of the images.
void draw_lines(const Chest& chest, Canvas& canvas, Draws& draws);

// Attenuation to grey: quantum noise (number i of `noise` for pixel i), exposure, window, gamma, vignette,
// collimator and the letter of a side.
Image expose(const Canvas& canvas, Draws& draws, const kernels::RandomKey& noise);

}  // namespace roentgen::data

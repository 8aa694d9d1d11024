#!/usr/bin/env python3
"""Golden images of Keras' affine augmentation (on scipy, as Keras resamples) for given parameters.

Writes FOLDER/augment.safetensors: an image [h, w, 3], parameters [k, 7] (theta and shear in degrees, shifts in
pixels, zooms, flip: theta, row shift, column shift, shear, row zoom, column zoom, flip), Keras' results [k, h, w, 3].
Needs tensorflow or keras, scipy and safetensors.

Usage: golden_augment.py FOLDER
"""
import sys

import numpy as np
from keras.src.legacy.preprocessing.image import transform_matrix_offset_center
from safetensors.numpy import save_file
from scipy import ndimage

H, W, K = 24, 31, 12
rng = np.random.default_rng(3)
# Smooth and full of edges at once: blocks, a ramp and noise.
r, c = np.mgrid[0:H, 0:W]
image = np.stack([(r // 5 + c // 7) % 2 * 180 + c, r * 10, rng.integers(0, 256, (H, W))], -1).clip(0, 255).astype(np.uint8)
rows = [[0, 0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 1, 1, 1], [20, 0, 0, 0, 1, 1, 0], [0, 2.25, -3.1, 0, 1, 1, 0],
        [0, 0, 0, 0.2, 1, 1, 0], [0, 0, 0, 0, 0.8, 1.2, 0]]
while len(rows) < K:
    rows.append([rng.uniform(-20, 20), rng.uniform(-0.1, 0.1) * H, rng.uniform(-0.1, 0.1) * W, rng.uniform(-0.2, 0.2),
                 rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.2), rng.integers(0, 2)])


def keras(theta, tx, ty, shear, zx, zy, flip):
    """What Keras' apply_affine_transform composed when the recipe was written (keras-preprocessing before 1.1.1).
    Later versions swap the two axes of the finished matrix, which for square images draws from the same distribution
    but for the shear's direction."""
    t, s = np.deg2rad(theta), np.deg2rad(shear)
    m = np.array([[np.cos(t), -np.sin(t), 0], [np.sin(t), np.cos(t), 0], [0, 0, 1]])
    m = m @ np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    m = m @ np.array([[1, -np.sin(s), 0], [0, np.cos(s), 0], [0, 0, 1]]) @ np.diag([zx, zy, 1])
    m = transform_matrix_offset_center(m, H, W)
    x = [ndimage.affine_transform(image[..., i].astype(np.float32), m[:2, :2], m[:2, 2], order=1, mode="nearest")
         for i in range(3)]
    x = np.stack(x, -1)
    return x[:, ::-1] if flip else x


out = [keras(*row) for row in rows]
save_file({"image": image, "parameters": np.array(rows, np.float64), "keras": np.stack(out).astype(np.float32)},
          sys.argv[1] + "/augment.safetensors" if len(sys.argv) == 2 else sys.exit(__doc__))

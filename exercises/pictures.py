"""Draw what a GAN of exercise 10 has made: a grid of images, or points in the plane."""

import numpy as np

from tinygan import data, save_grid


def draw(path, rows):
    """Write PNG. rows: images (N, 28, 28, 1) in (-1, 1), or points (N, 2), which are counted in small squares."""
    if rows.ndim == 4:
        return save_grid(path, data.to_pixels(rows))
    x, y = rows.T
    count = np.histogram2d(-y, x, 140, [[-2.8, 2.8], [-2.8, 2.8]])[0]  # -y: the first row of an image is at the top
    save_grid(path, np.minimum(count * 80, 255).astype("uint8")[None, ..., None])

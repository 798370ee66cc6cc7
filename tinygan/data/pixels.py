"""Convert pixels to the numbers of networks and back: 0..255 is [-1, 1], the range of tanh."""

import numpy as np


def to_float(pixels):
    """uint8 -> float32 in [-1, 1], for arrays of NumPy and CuPy."""
    return pixels.astype("float32") * (1.0 / 127.5) - 1.0


def to_pixels(images):
    """float in [-1, 1] -> uint8, rounded to the nearest, for NumPy arrays."""
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)

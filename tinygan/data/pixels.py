"""Bytes to the numbers that networks see, and back: 0..255 is [-1, 1], the range of tanh."""

import numpy as np


def to_float(pixels):
    """uint8 -> float32 in [-1, 1]; an array of either kind."""
    return pixels.astype("float32") * (1.0 / 127.5) - 1.0


def to_pixels(images):
    """float in [-1, 1] -> uint8, to the nearest; numpy arrays."""
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)

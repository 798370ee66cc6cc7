"""Convert pixels from 0 to 255 to numbers in [-1, 1], the range of tanh, and back. Convert other numbers to pixels."""

import math

import numpy as np


def to_float(pixels):
    """Convert a NumPy or CuPy array from uint8 to float32 in [-1, 1]."""
    return pixels.astype("float32") * (1.0 / 127.5) - 1.0


def to_pixels(images):
    """Convert a NumPy array from [-1, 1] to uint8, rounded to the nearest integer."""
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)


def value_range(smallest, largest):
    """Return (black, white) for images with numbers from `smallest` to `largest`.

    Cameras and microscopes store 8, 12 or 14 bits in files of 16 bits, and the file does not say which. So white is the
    largest number of as many bits as `largest` has: 255, 4095, 65535, ... If `largest` is a power of 2, it is white.
    Black is 0, or a negative `smallest`.
    """
    most = max(1, math.ceil(largest))
    power = 2 ** (most - 1).bit_length()  # not below `most`
    return min(0, smallest), power if most == power else power - 1


def scaled(values, black, white):
    """Convert numbers from `black` to `white` to uint8 from 0 to 255. values: of any shape"""
    return np.clip(np.rint((values - float(black)) * (255.0 / (white - black))), 0, 255).astype(np.uint8)

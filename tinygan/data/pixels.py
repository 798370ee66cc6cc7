"""Convert pixels from 0 to 255 to numbers in [-1, 1], the range of tanh, and back."""

import numpy as np


def to_float(pixels):
    """Convert a NumPy or CuPy array from uint8 to float32 in [-1, 1]."""
    return pixels.astype("float32") * (1.0 / 127.5) - 1.0


def to_pixels(images):
    """Convert a NumPy array from [-1, 1] to uint8, rounded to the nearest integer."""
    return np.clip(np.rint((images + 1.0) * 127.5), 0, 255).astype(np.uint8)

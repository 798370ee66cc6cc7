"""Make image files in MNIST's format, IDX."""

import struct

import numpy as np


def idx(array):
    array = np.asarray(array, np.uint8)
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def pictures(n=6, h=8, w=8, c=None):
    shape = (n, h, w) if c is None else (n, h, w, c)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def write(folder, **files):
    """Write files of these contents: write(folder, train_images=b"...") writes folder/train-images."""
    for name, content in files.items():
        (folder / name.replace("_", "-")).write_bytes(content)
    return folder

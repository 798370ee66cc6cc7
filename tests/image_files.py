"""Make image files of known pixels."""

import struct
import zlib

import numpy as np
from PIL import Image


def pixels(h=10, w=10, colour=False, seed=0):
    """Return a smooth image, which JPEG and resizing change little."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:h, :w] / max(h, w)
    channels = [127 + 60 * np.sin(6 * (a * x + b * y)) for a, b in rng.random((3, 2))]
    return np.stack(channels if colour else channels[:1] * 3, -1).astype(np.uint8)


def marked(value):
    """Return an image of 28 x 28 pixels of this value, from 0 to 127, with one brighter pixel in the last corner."""
    image = np.full((28, 28), value, np.uint8)
    image[-1, -1] += 128
    return image


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def png_of_16_bits(path, array):
    """Write a PNG with colours of 16 bits, which Pillow cannot write. array: uint16 (H, W, 3)"""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    height, width, _ = array.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))

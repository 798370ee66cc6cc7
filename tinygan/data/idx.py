"""The IDX format of MNIST and similar data, gzipped or not (yann.lecun.com/exdb/mnist, "The IDX file format").

A file contains two zero bytes, a type (8 for unsigned bytes), the number of dimensions, the size of each dimension (4
bytes, big-endian), and the elements. The reader checks the sizes in the header against the size of the file.
"""

import gzip
import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np

from ..files import replace
from .dataset import DataError, Dataset, NotThere
from .folders import described

DEFLATE_LIMIT = 1032  # gzip compresses data by this factor at most


def is_in(folder):
    """Return whether a folder has an IDX file of images, by its name and its first bytes."""
    return any("images" in path.name.lower() and begins_like_idx(path) for path in folder.glob("*") if path.is_file())


def begins_like_idx(path):
    """Return whether the first two bytes are as in an IDX file or a gzipped file."""
    try:
        with open(path, "rb") as file:
            return file.read(2) in (b"\0\0", b"\x1f\x8b")
    except OSError:
        return False


def load_folder(folder, split):
    """Return the images of a split in `folder`, and their labels if there are any, as a Dataset."""
    images_path = find(folder, split, "images")
    labels_path = find(folder, split, "labels", needed=False)
    images = read(images_path)
    if images.ndim not in (3, 4):
        raise DataError(
            f"{images_path}: images need 3 dimensions (N, H, W), or 4 with channels; this file has {images.ndim}"
        )
    images = images.reshape(*images.shape[:3], -1)
    if images.shape[3] not in (1, 3):
        raise DataError(f"{images_path}: images need 1 or 3 channels; these have {images.shape[3]}")
    labels = None
    if labels_path:
        labels = read(labels_path)
        if labels.shape != images.shape[:1]:
            raise DataError(
                f"{labels_path}: {len(images)} images need labels of shape ({len(images)},); got {labels.shape}"
            )
    return Dataset(images, labels, folder.absolute().name)


def find(folder, split, kind, needed=True):
    """Return the path of the file of a split and kind ("images" or "labels"), or None.

    Names of training files need not contain "train". Raises DataError if several files match, or if none does and
    `needed` is True.
    """
    files = sorted(path for path in folder.iterdir() if path.is_file() and kind in path.name.lower())
    of_split = {"train": "train", "test": "t10k|test"}
    fits = [path for path in files if re.search(of_split[split], path.name.lower())]
    if not fits and split == "train":
        fits = [path for path in files if not re.search(of_split["test"], path.name.lower())]
    fits = [p for p in fits if not (p.suffix == ".gz" and p.with_suffix("") in fits)]  # the unpacked file exists too
    if len(fits) > 1:
        raise DataError(f"{folder}: several files of {split} {kind}: {', '.join(p.name for p in fits)}; keep one")
    if needed and not fits:
        missing = "it needs a folder with the name test, or a file such as test-images-idx3-ubyte.gz"
        raise NotThere(f"{folder} has no {split} images: {described(folder) if split == 'train' else missing}")
    return fits[0] if fits else None


def read(path):
    """Return the array of unsigned bytes in an IDX file."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        with (gzip.open if zipped else open)(path, "rb") as file:
            return _parse(file, path, path.stat().st_size * (DEFLATE_LIMIT if zipped else 1))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: the gzip stream is damaged or incomplete ({error})") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from None


def _parse(file, path, most):
    """Read an array from an open file. most: the largest number of elements that the file can contain."""
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or not 1 <= head[3] <= 4:
        raise DataError(f"{path}: not an IDX file: it begins with {head.hex(' ') or 'nothing'}")
    if head[2] != 8:
        raise DataError(f"{path}: its elements have type {head[2]:#04x}; only unsigned bytes (0x08) are supported")
    sizes = file.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise DataError(f"{path}: the header is incomplete")
    shape = struct.unpack(f">{head[3]}I", sizes)
    count = math.prod(shape)
    if count == 0:
        raise DataError(f"{path}: it is empty: its shape is {shape}")
    if count > most:
        raise DataError(f"{path}: its header says {count:,} bytes (shape {shape}), more than the file can contain")
    content = file.read(count)
    if len(content) < count:
        raise DataError(f"{path}: it is incomplete: shape {shape} needs {count:,} bytes, but it has {len(content):,}")
    if file.read(1):
        raise DataError(f"{path}: it is longer than its header says ({count:,} bytes, shape {shape})")
    return np.frombuffer(content, np.uint8).reshape(shape)


def write(path, array):
    """Write an array of unsigned bytes as an IDX file."""
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    replace(path, lambda file: file.write(head + array.tobytes()))

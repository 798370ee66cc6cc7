"""The IDX format of MNIST and similar data, gzipped or not (yann.lecun.com/exdb/mnist, "The IDX file format").

A file contains two zero bytes, a type (8 for unsigned bytes), the number of dimensions, the size of each dimension (4
bytes, big-endian), and the elements. The reader checks the sizes in the header against the size of the file.
"""

import gzip
import hashlib
import math
import re
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

DEFLATE_LIMIT = 1032  # gzip compresses data by this factor at most


class DataError(ValueError):
    """Data that cannot be used. The message names the file and the problem."""


class NotThere(DataError):
    """Data that is missing: the folder does not exist, or has no images of the split."""


class Dataset(NamedTuple):
    """Images and their labels. images: uint8 (N, H, W, C), or points, float32 (N, 2). labels: uint8 (N,), or None.

    name: the name of the folder or of the toy data. class_names: the names of the class folders, if there are any.
    """

    images: np.ndarray
    labels: np.ndarray | None
    name: str
    class_names: tuple[str, ...] = ()

    @property
    def classes(self):
        """The number of classes: the largest label plus 1, or 0 without labels."""
        return 0 if self.labels is None else int(self.labels.max()) + 1

    @property
    def class_sizes(self):
        """The number of images of each class; empty without labels."""
        return () if self.labels is None else tuple(np.bincount(self.labels).tolist())

    @property
    def sha256(self):
        """The SHA-256 of all images and labels."""
        digest = hashlib.sha256(f"{self.images.shape} {self.images.dtype}".encode())
        for array in (self.images, self.labels):
            digest.update(b"" if array is None else np.ascontiguousarray(array))
        return digest.hexdigest()


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
    if not folder.is_dir():
        hint = ""
        if folder.is_file():
            hint = f", because it is a file; its folder is {folder.parent}"
        elif folder.name.lower() == "mnist":
            hint = "; for MNIST, leave out --data"
        raise NotThere(f"{folder}: there is no such folder{hint}")
    files = sorted(path for path in folder.iterdir() if path.is_file() and kind in path.name.lower())
    of_split = {"train": "train", "test": "t10k|test"}
    fits = [path for path in files if re.search(of_split[split], path.name.lower())]
    if not fits and split == "train":
        fits = [path for path in files if not re.search(of_split["test"], path.name.lower())]
    fits = [p for p in fits if not (p.suffix == ".gz" and p.with_suffix("") in fits)]  # the unpacked file exists too
    if len(fits) > 1:
        raise DataError(f"{folder}: several files of {split} {kind}: {', '.join(p.name for p in fits)}; keep one")
    if needed and not fits:
        raise NotThere(
            f"{folder} has no {split} {kind}: it needs image files, or a file such as {split}-{kind}-idx3-ubyte.gz"
        )
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

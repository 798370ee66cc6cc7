"""Arrays as training data, the way a notebook has them: images (N, H, W) or (N, H, W, C), and labels (N,)."""

import sys
from pathlib import Path

import numpy as np

from . import idx, pixels
from .dataset import DataError, Dataset


def to_dataset(images, labels=None):
    """Return arrays as a Dataset with images of uint8 and labels of uint8, or None. Its name is "arrays".

    images: uint8; booleans; numbers from 0 to 1, or from -1 to 1; or other numbers, with 0 as black and the largest
    number of as many bits as white (pixels.py). labels: whole numbers from 0 to 255. Raises DataError.
    """
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3) or not images.size:
        hint = ""
        if images.ndim == 4 and images.shape[1] in (1, 3):
            hint = ". Try images.transpose(0, 2, 3, 1)"
        raise DataError(f"images must have the shape (N, H, W), (N, H, W, 1) or (N, H, W, 3); got {images.shape}{hint}")
    return Dataset(_bytes(images), None if labels is None else _labels(labels, len(images)), "arrays").checked()


def _bytes(images):
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind not in "biuf" or not np.isfinite(images).all():
        raise DataError(f"images must be finite numbers; got {images.dtype}")
    smallest, largest = float(images.min()), float(images.max())
    black, white = pixels.value_range(smallest, largest)
    if images.dtype.kind == "f" and -1 <= smallest < 0 and largest <= 1:  # the range of tanh
        black = -1
    if white not in (1, 255):
        print(f"arrays: {black:g} becomes black, and {white:g} becomes white", file=sys.stderr)
    return pixels.scaled(images, black, white)


def _labels(labels, count):
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:  # as Keras stores them
        labels = labels[:, 0]
    if labels.shape != (count,) or labels.dtype.kind not in "biu" or labels.min() < 0 or labels.max() > 255:
        hint = ". Try labels.argmax(1)" if labels.ndim == 2 else ""
        raise DataError(
            f"labels must be whole numbers from 0 to 255 with the shape ({count},); "
            f"got {labels.dtype} with the shape {labels.shape}{hint}"
        )
    return labels.astype(np.uint8)


def save(dataset, above):
    """Write a Dataset as IDX files to the folder data-<hash> in the folder `above`, and return the folder's path."""
    folder = Path(above) / f"data-{dataset.sha256[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    idx.write(folder / "train-images-idx3-ubyte", dataset.images)
    if dataset.labels is not None:
        idx.write(folder / "train-labels-idx1-ubyte", dataset.labels)
    return folder

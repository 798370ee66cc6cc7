"""A data set in memory, the errors for data that cannot be used, and the check that images differ."""

import hashlib
from typing import NamedTuple

import numpy as np


class DataError(ValueError):
    """Data that cannot be used. The message names the file and the problem."""


class NotThere(DataError):
    """Data that is missing: the folder does not exist, or has no images of the split."""


class Dataset(NamedTuple):
    """Images and their labels. images: uint8 (N, H, W, C), or points, float32 (N, 2). labels: uint8 (N,), or None.

    name: the name of the folder or of the toy data. class_names: the names of the class folders, if there are any.
    grouped: whether the labels are groups of similar images (groups.py), which are stored nowhere in the data.
    """

    images: np.ndarray
    labels: np.ndarray | None
    name: str
    class_names: tuple[str, ...] = ()
    grouped: bool = False

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

    def checked(self):
        """Return the Dataset. Raises DataError if a GAN cannot learn from the images: all are equal, or all are empty.

        An empty image has one colour. Such images come from pictures that were read wrongly, more often than not.
        """
        images = self.images
        if not any((image != image[:1, :1]).any() for image in images):
            raise DataError(f"{self.name}: each of the {len(images)} images has one colour only, so nothing is learned")
        if len(images) > 1 and not any((image != images[0]).any() for image in images[1:]):
            raise DataError(f"{self.name}: all {len(images)} images are equal, so nothing is learned")
        return self

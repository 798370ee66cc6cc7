"""Batches of a data set that is stored on the device.

All images are in one array, as bytes (47 MB for MNIST). A batch is gathered: its images are copied from this array.
The position in the data set is an array that is updated in place, so a captured CUDA step can gather its own batch.
The order of the images in an epoch depends only on the seed and the number of the epoch. The last images of an epoch
are left out if they do not fill the batches of a step, because shapes must not change.
"""

import numpy as np

from .. import backend
from ..backend import distributed
from .dataset import DataError


class Batches:
    """Shuffled batches of a Dataset.

    per_step: the number of batches in a training step. with_labels: whether batches contain the classes too.
    Raises DataError if a step needs more images than the data set has.
    """

    def __init__(self, dataset, batch_size, seed, per_step=1, with_labels=False):
        if not 1 <= batch_size * per_step <= len(dataset.images):
            raise DataError(
                f"{dataset.name} has {len(dataset.images)} images, but a step needs {batch_size * per_step}"
            )
        self.seed, self.size = seed, len(dataset.images)
        self.steps_per_epoch = self.size // batch_size // per_step
        self.images = backend.to_device(dataset.images)
        self.classes = dataset.classes if with_labels else 0
        if self.classes:
            self.one_hot = backend.to_device(np.eye(self.classes, dtype="uint8")[dataset.labels])
        self.groups = {"groups": backend.to_device(dataset.labels)} if self.classes and dataset.grouped else {}
        self.batch_size, self.local_size = batch_size, distributed.local_batch_size(batch_size)
        self.order = backend.xp.zeros(self.size, "int64")
        self.position = backend.xp.zeros(1, "int64")  # of the next batch in `order`

    def start_epoch(self, epoch):
        """Shuffle the data set for this epoch (0, 1, ...), and go to its first batch."""
        order = np.random.default_rng((self.seed, epoch)).permutation(self.size)
        self.order[...] = backend.to_device(order)
        self.position[...] = 0

    def next(self):
        """Return the next batch as a tuple: images (batch, H, W, C) in [-1, 1], or points (batch, 2), in float32.

        With labels, the one-hot classes (batch, classes) are the second element. If several processes train together,
        each process gets a part of the batch.
        """
        return self.take(1)[0]

    def take(self, n):
        """Return the next n batches as a list of tuples (images,) or (images, labels), all gathered together."""
        scale = (1.0 / 127.5, 1.0) if self.images.dtype == "uint8" else (1.0, 0.0)  # from bytes, as in pixels.to_float
        sources = [(self.images, *scale)] + ([(self.one_hot, 1.0, 0.0)] if self.classes else [])
        count, first = n * self.batch_size, distributed.rank * self.local_size
        gathered = [backend.gather(rows, self.order, self.position, count, *line) for rows, *line in sources]
        self.position += count
        starts = range(first, count, self.batch_size)  # of the images of this process
        return [tuple(array[i : i + self.local_size] for array in gathered) for i in starts]

    def state_dict(self):
        """Return {name: array} of everything on which the next batch depends, and which the data does not contain."""
        return {"order": self.order, "position": self.position, **self.groups}

    def load_state_dict(self, saved):
        n = len(saved.get("order", self.order))
        if n != self.size:
            raise ValueError(
                f"the run was trained on {n} images, but the data has {self.size}: "
                "--from begins a new run with the old weights"
            )
        own = {"order": self.order, "position": self.position}
        backend.load_arrays(own, {name: a for name, a in saved.items() if name != "groups"}, "Batches")

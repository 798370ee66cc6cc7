"""The data set on the device, a batch at a time.

It lies there as bytes (47 MB for MNIST) and a batch is gathered by index; the position is an array moved in place, so
that the gathering can be part of a captured step. The order of an epoch follows from (seed, epoch) alone. The last,
smaller batch is left out: shapes never change.
"""

import numpy as np

from .. import backend
from ..backend import distributed
from .idx import DataError


class Batches:
    """Endless batches of a Dataset, shuffled anew for each epoch.

    per_step: how many batches a training step takes. with_labels: give the classes too.
    Raises DataError when a step takes more than the data set has.
    """

    def __init__(self, dataset, batch_size, seed, per_step=1, with_labels=False):
        if not 1 <= batch_size * per_step <= len(dataset.images):
            raise DataError(
                f"{dataset.name} has {len(dataset.images)} images; a step cannot take {batch_size * per_step}"
            )
        self.seed, self.size = seed, len(dataset.images)
        self.steps_per_epoch = self.size // batch_size // per_step
        self.images = backend.to_device(dataset.images)
        self.classes = dataset.classes if with_labels else 0
        if self.classes:
            self.one_hot = backend.to_device(np.eye(self.classes, dtype="uint8")[dataset.labels])
        self.batch_size, self.share = batch_size, distributed.share(batch_size)
        self.order = backend.xp.zeros(self.size, "int64")
        self.position = backend.xp.zeros(1, "int64")  # of the next batch in `order`

    def start_epoch(self, epoch):
        """Shuffle for epoch 0, 1, ... and start it."""
        order = np.random.default_rng((self.seed, epoch)).permutation(self.size)
        self.order[...] = backend.to_device(order)
        self.position[...] = 0

    def next(self):
        """Return the next batch: images (batch, H, W, C), float32 in [-1, 1], or points (batch, 2). With labels, their
        one-hot classes (batch, classes) follow. One of several processes gets its share of the batch."""
        return self.take(1)[0]

    def take(self, n):
        """Return the next n batches, gathered together."""
        scale = (1.0 / 127.5, 1.0) if self.images.dtype == "uint8" else (1.0, 0.0)  # as pixels.to_float
        tables = [(self.images, *scale)] + ([(self.one_hot, 1.0, 0.0)] if self.classes else [])
        start, rows = distributed.rank * self.share, n * self.batch_size
        gathered = [backend.gather(table, self.order, self.position, rows, *line) for table, *line in tables]
        self.position += rows
        starts = range(start, rows, self.batch_size)
        return [tuple(array[i : i + self.share] for array in gathered) for i in starts]

    def state_dict(self):
        return {"order": self.order, "position": self.position}

    def load_state_dict(self, saved):
        n = len(saved.get("order", self.order))
        if n != self.size:
            raise ValueError(f"it is of a run on {n} images, and here are {self.size}: --from begins a new run with it")
        backend.load_arrays(self.state_dict(), saved, "Batches")

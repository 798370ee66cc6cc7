"""The data set on the device, a batch at a time.

It lies there as bytes (47 MB for MNIST) and a batch is gathered by index; the position is an array moved in place, so
that the gathering can be part of a captured step. The order of an epoch follows from (seed, epoch) alone. The last,
smaller batch is left out: shapes never change.
"""

import numpy as np

from .. import backend
from ..backend.state import load_arrays
from .idx import DataError
from .pixels import to_unit


class Batches:
    """Batches of a Dataset without end, epoch by epoch, each in an order of its own.

    Raises DataError when a batch is larger than the data set.
    """

    def __init__(self, dataset, batch_size, seed):
        if not 1 <= batch_size <= len(dataset.images):
            raise DataError(f"{dataset.name} has {len(dataset.images)} images: no batch of {batch_size} can be made")
        self.seed, self.size = seed, len(dataset.images)
        self.steps_per_epoch = self.size // batch_size
        self.images = backend.to_device(dataset.images)
        self.within_batch = backend.xp.arange(batch_size)
        self.order = backend.xp.zeros(self.size, "int64")
        self.position = backend.xp.zeros(1, "int64")  # in `order`, of the next batch

    def start_epoch(self, epoch):
        """Shuffle for epoch 0, 1, ... and go to its beginning."""
        order = np.random.default_rng((self.seed, epoch)).permutation(self.size)
        self.order[...] = backend.to_device(order)
        self.position[...] = 0

    def next(self):
        """The next batch of the epoch: images (batch, H, W, C), float32 in [-1, 1]."""
        index = self.order.take(self.position + self.within_batch)
        self.position += len(self.within_batch)
        return to_unit(self.images.take(index, axis=0))

    def state_dict(self):
        return {"order": self.order, "position": self.position}

    def load_state_dict(self, saved):
        load_arrays(self.state_dict(), saved, "Batches")

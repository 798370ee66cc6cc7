"""The data set on the device, a batch at a time.

It lies there as bytes (47 MB for MNIST) and a batch is gathered by index; the position is an array moved in place, so
that the gathering can be part of a captured step. The order of an epoch follows from (seed, epoch) alone. The last,
smaller batch is left out: shapes never change.
"""

import numpy as np

from .. import backend
from .idx import DataError
from .pixels import to_float


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
        self.labels, self.classes = None, dataset.classes if with_labels else 0
        if self.classes:
            self.labels = backend.to_device(dataset.labels.astype("int64"))
            self.one_hot = backend.xp.eye(self.classes, dtype="float32")
        self.within_batch = backend.xp.arange(batch_size)
        self.order = backend.xp.zeros(self.size, "int64")
        self.position = backend.xp.zeros(1, "int64")  # of the next batch in `order`

    def start_epoch(self, epoch):
        """Shuffle for epoch 0, 1, ... and start it."""
        order = np.random.default_rng((self.seed, epoch)).permutation(self.size)
        self.order[...] = backend.to_device(order)
        self.position[...] = 0

    def next(self):
        """Return the next batch: images (batch, H, W, C), float32 in [-1, 1], or points (batch, 2). With labels, their
        one-hot classes (batch, classes) follow."""
        index = self.order.take(self.position + self.within_batch)
        self.position += len(self.within_batch)
        images = self.images.take(index, axis=0)
        images = to_float(images) if images.dtype == "uint8" else images
        return (images, self.one_hot.take(self.labels.take(index), axis=0)) if self.classes else (images,)

    def state_dict(self):
        return {"order": self.order, "position": self.position}

    def load_state_dict(self, saved):
        backend.load_arrays(self.state_dict(), saved, "Batches")

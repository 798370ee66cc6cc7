"""The CPU: NumPy, on all cores."""

import numpy as xp

from .convolution import conv2d, conv2d_weight_grad, conv_transpose2d, im2col
from .fusion import add_into, column_sums, fuse, gather, interpolate, mean_and_variance, scatter, squared_norms
from .parts import finish
from .products import matmul
from .random import RNG


def start(index):
    """Do nothing: there is one CPU, and it needs no preparation."""


def to_host(array):
    return xp.asarray(array)


def to_device(array):
    return xp.asarray(array)


def ones(shape, dtype):
    """See backend.ones."""
    return xp.ones(shape, dtype)


class AsyncCopy:
    """See backend.AsyncCopy. On the CPU the copy is finished at once."""

    def __init__(self, array):
        self.array = array.copy()

    def ready(self):
        """Whether the copy is finished."""
        return True

    def get(self):
        """Return the copy as a numpy.ndarray; wait for it if necessary."""
        return self.array


def capture(function):
    """See backend.capture. On the CPU there is nothing to capture: return the function itself."""
    return function


def tf32(on):
    """See backend.tf32. The CPU never rounds the factors of a product."""

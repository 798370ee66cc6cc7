"""The backend with NumPy, on one or several cores of the CPU. backend/__init__.py documents the functions."""

import numpy as xp

from .convolution import conv2d, conv2d_weight_grad, conv_transpose2d, im2col
from .fusion import add_into, column_sums, fuse, gather, interpolate, mean_and_variance, scatter, squared_norms
from .parts import finish
from .products import matmul
from .random import RNG


def start(index):
    """Do nothing: the CPU needs no preparation."""


def to_host(array):
    return xp.asarray(array)


def to_device(array):
    return xp.asarray(array)


def ones(shape, dtype):
    """See backend.ones."""
    return xp.ones(shape, dtype)


def concatenate(arrays, axis):
    """See backend.concatenate."""
    return xp.concatenate(arrays, axis)


class AsyncCopy:
    """A copy of an array; see backend.AsyncCopy. On the CPU it is finished at once."""

    def __init__(self, array):
        self.array = array.copy()

    def ready(self):
        """Return whether the copy is finished."""
        return True

    def get(self):
        """Return the copy, a numpy.ndarray."""
        return self.array


def capture(function):
    """Return the function itself: the CPU has no graphs to capture."""
    return function


def tf32(on):
    """Do nothing: the CPU has no TensorFloat-32."""

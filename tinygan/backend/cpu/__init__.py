"""The CPU: NumPy, on all cores."""

import numpy as xp

from .convolution import conv2d, conv2d_weight_grad, conv_transpose2d, im2col
from .fusion import centred_sums, column_sums, fuse, mean_and_variance
from .products import matmul
from .random import RNG


def start(index):
    """There is one CPU, and it needs no preparation."""


def to_host(array):
    return xp.asarray(array)


def to_device(array):
    return xp.asarray(array)


class AsyncCopy:
    """A copy of an array, as it is now, on its way to the host; here it is there at once."""

    def __init__(self, array):
        self.array = array.copy()

    def ready(self):
        """Whether it has arrived."""
        return True

    def get(self):
        """The numpy.ndarray; waits until it has arrived."""
        return self.array


def capture(function):
    """A step, a function of no arguments that changes arrays in place, as a function to be called for each step: here
    itself, on CUDA one graph of kernels after its first calls. All that a step changes must be arrays: what it counts
    in Python stays as it was."""
    return function


def tf32(on):
    """On CUDA, whether products of float32 may be rounded for speed. Here they are what they are."""

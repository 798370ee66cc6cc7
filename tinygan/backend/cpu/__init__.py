"""The backend with NumPy, on one or several cores of the CPU. backend/__init__.py documents the functions."""

import numpy as xp

from .convolution import conv2d, conv2d_weight_grad, conv_transpose2d, im2col
from .fusion import column_sums, copy_into, fuse, gather, mean_and_variance
from .products import matmul
from .random import RNG


def start(index):
    """Do nothing: the CPU needs no preparation."""


def to_host(array):
    return xp.asarray(array)


def to_device(array):
    return xp.asarray(array)


def capture(function):
    """Return the function itself: the CPU has no graphs to capture."""
    return function


def tf32(on):
    """Do nothing: the CPU has no TensorFloat-32."""

"""Batch normalisation (Ioffe & Szegedy 2015, algorithm 1), and a leaky ReLU after it.

For each channel, mean and variance are those of the batch. They depend on x, so dL/dx has three terms. With h = dL/dz,
x̂ = (x - mean) r and r = 1 / sqrt(var + eps), the gradients are (paper, section 3):

    dL/dgamma = sum(h x̂),   dL/dbeta = sum(h),   dL/dx = gamma r (h - mean(h) - x̂ mean(h x̂))

`grad` finds them from the formula below. backend/fast.py computes them directly, in two passes over memory.
"""

from ..backend import distributed, fast
from .activations import leaky_relu
from .arithmetic import sqrt
from .composed import composed
from .shapes import all_reduce


@composed(fast.batch_norm, fast.batch_norm_gradients)
def batch_norm(x, gamma, beta, moments, eps, slope=1.0):
    """y = leaky ReLU of z = gamma (x - mean) / sqrt(var + eps) + beta        x: (N, ..., C); gamma, beta: (C,)

    slope: of the leaky ReLU; 1 means no activation. moments: the mean and variance of x, arrays (C,), for the fast
    version. The formula computes its own, because derivatives must pass through them to x.
    """
    centred = x - batch_mean(x)
    var = batch_mean(centred * centred)
    z = gamma * centred / sqrt(var + eps) + beta
    return leaky_relu(z, slope=slope)


def batch_mean(x):
    """Return the mean of each channel over the batch, of all processes that train together: (N, ..., C) -> (C,)"""
    mean = x.reshape(-1, x.shape[-1]).mean(0)
    return mean if distributed.size == 1 else all_reduce(mean) / distributed.size

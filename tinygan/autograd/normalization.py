"""Batch normalisation (Ioffe & Szegedy 2015) and a leaky ReLU of slope a after it, in one primitive for speed.

    y = max(z, a z),   z = gamma x̂ + beta,   x̂ = (x - mean) r,   r = 1 / sqrt(var + eps)

`batch_norm_statistics` computes the mean and the variance of each channel first. They depend on x, so dL/dx has three
terms. With g = dL/dy and h = dL/dz (g where y > 0, else a g) the gradients are (paper, section 3):

    dL/dgamma = sum(h x̂),   dL/dbeta = sum(h),   dL/dx = gamma r (h - mean(h) - x̂ mean(h x̂))
"""

from ..backend import distributed, formulas
from .activations import leaky_relu
from .backward import vjp_of
from .shapes import all_reduce
from .tensor import primitive


@primitive
def batch_norm(x, gamma, beta, statistics, eps, slope=1.0):
    """y = max(z, a z), z = gamma (x - mean) / sqrt(var + eps) + beta        x: (N, ..., C); gamma, beta: (C,)

    statistics: (mean, var, scale, shift) of `formulas.batch_norm_statistics`, arrays (parts, C). Each part of the
    batch, such as real and fake images, has its own mean and variance. slope: a; 1 means no activation.
    """
    _, _, scale, shift = statistics
    return formulas.batch_norm(x, scale, shift, slope)


def batch_norm_formula(x, gamma, beta, eps, slope, parts):
    """Compute the statistics and batch_norm in Tensor operations, which grad can differentiate to any order."""
    centred = x.reshape(parts, -1, x.shape[-1])
    centred = centred - batch_mean(centred)
    z = (gamma * centred * (batch_mean(centred * centred) + eps) ** -0.5 + beta).reshape(x.shape)
    return z if slope == 1 else leaky_relu(z, slope=slope)


def batch_mean(x):
    """Return the mean over the rows of all processes that train together: (parts, rows, C) -> (parts, 1, C)"""
    mean = x.mean(1, keepdims=True)
    return mean if distributed.size == 1 else all_reduce(mean) / distributed.size


def _batch_norm_vjp(g, needs_grad, y, x, gamma, beta, statistics, eps, slope=1.0):
    return vjp_of(lambda *args: batch_norm_formula(*args, eps, slope, len(statistics[0])), g, (x, gamma, beta))


batch_norm.def_joint_vjp(_batch_norm_vjp)
batch_norm.def_fused_vjp(formulas.batch_norm_gradients)

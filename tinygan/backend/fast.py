"""Activations and composed operations on arrays: their values and first gradients, in few passes over memory.

autograd has the formulas that define these operations. Here the large arrays have one shape (N, ..., C), and arrays
with a number for each channel are (C,). The functions read backend.xp when they are called, because it depends on the
device.
"""

from .. import backend
from . import distributed, fuse


def identity(x):
    return x


def check_slope(slope):
    """Raise ValueError for a slope with which max(z, slope z) is no leaky ReLU."""
    if not 0 <= slope <= 1:
        raise ValueError(f"the slope of a leaky ReLU must be from 0 to 1; got {slope}")


def activation(z, slope):
    """z where z > 0, else slope z        max(z, slope z) would be NaN for z = inf and slope = 0."""
    xp = backend.xp
    return xp.maximum(z, slope * xp.minimum(z, 0.0))


def slope_at(y, slope):
    """dy/dx of y = leaky_relu(x), computed from y: 1 where y > 0, else slope"""
    return backend.xp.maximum(backend.xp.sign(y), slope)


def leaky_relu(x, slope):
    check_slope(slope)
    return activated(x, slope)


@fuse
def activated(x, slope):
    return activation(x, slope)


@fuse
def leaky_relu_grad(g, y, slope):
    return g * slope_at(y, slope)


def bias_leaky_relu(x, bias, slope):
    if x.ndim < 2 or bias.shape != x.shape[-1:]:
        raise ValueError(f"a bias (C,) is for arrays (N, ..., C); got shapes {bias.shape} and {x.shape}")
    check_slope(slope)
    return biased(x, bias, slope)


@fuse
def biased(x, bias, slope):
    return activation(x + bias, slope)


def batch_norm(x, gamma, beta, moments, eps, slope=1.0):
    check_slope(slope)
    scale, shift = backend.xp.empty((2, gamma.size), x.dtype)
    scale_and_shift(*moments, gamma, beta, eps, out=(scale, shift))
    return scaled(x, scale, shift, slope)


@fuse
def scale_and_shift(mean, var, gamma, beta, eps):
    scale = gamma / backend.xp.sqrt(var + eps)
    return scale, beta - mean * scale


@fuse
def scaled(x, scale, shift, slope):
    return activation(x * scale + shift, slope)


def batch_norm_gradients(g, needed, y, x, gamma, beta, moments, eps, slope=1.0):
    """Compute the gradients of batch_norm in two passes over memory; autograd/normalization.py has the formulas.

    h = g where y > 0, else slope g. The first pass computes sum(h) and sum(h (x - mean)), the second dL/dx. If several
    processes train together, dL/dgamma and dL/dbeta are sums over the local batch, but the two means in dL/dx are means
    over the whole batch.
    """
    mean, var = moments
    dbeta, sum_product = backend.column_sums(h_products, g, y, x, mean, slope)
    dgamma, mean_h, projection, scale = out = tuple(backend.xp.empty((4, mean.size), x.dtype))
    gradient_factors(dbeta, sum_product, var, gamma, mean.size / g.size, eps, out=out)
    distributed.average(mean_h, projection)
    dx = batch_norm_gradient(g, y, x, mean, mean_h, projection, scale, slope)
    return dx, dgamma, dbeta


def h_products(g, y, x, mean, slope):
    h = g * slope_at(y, slope)
    return h, h * (x - mean)


@fuse
def gradient_factors(sum_h, sum_product, var, gamma, share, eps):
    """Return dL/dgamma, mean(h), mean(h (x - mean)) r^2 and gamma r: (C,) each. share: 1 / the rows of x.

    One kernel on CUDA; written with xp it would be nine.
    """
    r = 1.0 / backend.xp.sqrt(var + eps)
    return r * sum_product, share * sum_h, share * r * r * sum_product, gamma * r


@fuse
def batch_norm_gradient(g, y, x, mean, mean_h, projection, scale, slope):
    h = g * slope_at(y, slope)
    return (h - mean_h - (x - mean) * projection) * scale

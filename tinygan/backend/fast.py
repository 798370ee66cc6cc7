"""Fast values and first gradients of activations and composed operations: few passes over memory.

autograd has the formulas that define these operations. Here the large arrays have one shape (N, ..., C), and arrays
with a number for each channel are (C,). The functions read backend.xp when they are called, because it depends on the
device.

A function named *_gradients returns dL/d argument for each argument of the operation. g is dL/dy. needed has a bool for
each argument; a gradient that is not needed can be None.
"""

from .. import backend
from . import distributed, fuse


def identity(x):
    return x


def square(x):
    return x * x


def activation(z, slope):
    """z where z > 0, else slope z        max(z, slope z) is not the same: it is NaN for z = inf and slope = 0."""
    xp = backend.xp
    return xp.maximum(z, slope * xp.minimum(z, 0.0))


def slope_at(y, slope):
    """dy/dx of y = leaky_relu(x), computed from y: 1 where y > 0, else slope"""
    return backend.xp.maximum(backend.xp.sign(y), slope)


@fuse
def leaky_relu(x, slope):
    return activation(x, slope)


@fuse
def leaky_relu_grad(g, y, slope):
    return g * slope_at(y, slope)


def bias_leaky_relu(x, bias, slope):
    if x.ndim < 2 or bias.shape != x.shape[-1:]:
        raise ValueError(f"a bias (C,) is for arrays (N, ..., C); got shapes {bias.shape} and {x.shape}")
    return biased(x, bias, slope)


@fuse
def biased(x, bias, slope):
    return activation(x + bias, slope)


def bias_leaky_relu_gradients(g, needed, y, x, bias, slope):
    h = leaky_relu_grad(g, y, slope)
    return h, backend.column_sums(identity, h) if needed[1] else None


def batch_norm(x, gamma, beta, eps, slope=1.0, moments=None):
    mean, var = moments or backend.mean_and_variance(x)
    scale, shift = backend.xp.empty((2, mean.size), x.dtype)
    scale_and_shift(mean, var, gamma, beta, eps, out=(scale, shift))
    return scaled(x, scale, shift, slope)


@fuse
def scale_and_shift(mean, var, gamma, beta, eps):
    scale = gamma / backend.xp.sqrt(var + eps)
    return scale, beta - mean * scale


@fuse
def scaled(x, scale, shift, slope):
    return activation(x * scale + shift, slope)


def batch_norm_gradients(g, needed, y, x, gamma, beta, eps, slope=1.0, moments=None):
    """Compute the gradients of batch_norm in two passes over memory; autograd/normalization.py has the formulas.

    h = g where y > 0, else slope g. The first pass computes sum(h) and sum(h (x - mean)), the second dL/dx. If several
    processes train together, dL/dgamma and dL/dbeta are sums over the local batch, but mean(h) and mean(h (x - mean))
    are means over the whole batch.
    """
    mean, var = moments or backend.mean_and_variance(x)
    dbeta, sum_product = backend.column_sums(h_products, g, y, x, mean, slope)
    dgamma, mean_h, projection, scale = factors = backend.xp.empty((4, mean.size), x.dtype)
    gradient_factors(dbeta, sum_product, var, gamma, mean.size / g.size, eps, out=tuple(factors))
    distributed.average(mean_h, projection)
    dx = batch_norm_gradient(g, y, x, mean, mean_h, projection, scale, slope)
    return dx, dgamma, dbeta


def h_products(g, y, x, mean, slope):
    h = g * slope_at(y, slope)
    return h, h * (x - mean)


@fuse
def gradient_factors(sum_h, sum_product, var, gamma, share, eps):
    r = 1.0 / backend.xp.sqrt(var + eps)
    return r * sum_product, share * sum_h, share * r * r * sum_product, gamma * r


@fuse
def batch_norm_gradient(g, y, x, mean, mean_h, projection, scale, slope):
    h = g * slope_at(y, slope)
    return (h - mean_h - (x - mean) * projection) * scale

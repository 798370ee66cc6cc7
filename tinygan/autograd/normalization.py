"""Batch normalisation: one primitive forward and one backward, exact to any order (Ioffe & Szegedy 2015).

    x̂ = (x - mean) r,   r = 1 / sqrt(var + eps),   y = gamma x̂ + beta        mean, var: of each channel of x

The gradients share two sums, so one primitive computes all three (paper, section 3):

    dL/dgamma = sum(g x̂),   dL/dbeta = sum(g),   dL/dx = gamma r (g - mean(g) - x̂ mean(g x̂))

mean and var are passed in because the layer needs them too. They are cached values, not constants: these formulas, and
the formula for the second derivative below, take into account that both depend on x.
"""

from .. import backend
from .backward import vjp_of
from .shapes import concatenate
from .tensor import primitive


@primitive
def batch_norm(x, gamma, beta, mean, var, eps):
    """y = gamma (x - mean) / sqrt(var + eps) + beta        x: (..., C); gamma, beta, mean, var: (C,)

    mean, var: `backend.mean_and_variance(x)`.
    """
    scale = gamma / backend.xp.sqrt(var + eps)
    return _scale_and_shift(x, scale, beta - mean * scale)


@primitive
def batch_norm_grad(g, x, gamma, mean, var, eps):
    """Return the three gradients as rows of one matrix, [dL/dgamma, dL/dbeta, dL/dx ...]: (2 + M, C) for M rows of x"""
    rows, channels = g.size // g.shape[-1], g.shape[-1]
    g, x, r = g.reshape(rows, channels), x.reshape(rows, channels), 1.0 / backend.xp.sqrt(var + eps)
    out = backend.xp.empty((2 + rows, channels), g.dtype)
    dgamma, dbeta, dx = out[0], out[1], out[2:]
    dbeta[...], product = backend.centred_sums(g, x, mean)
    dgamma[...] = r * product
    _centred_gradient(g, x, mean, dbeta / rows, r * dgamma / rows, gamma * r, out=dx)
    return out


@backend.fuse
def _scale_and_shift(x, scale, shift):
    return x * scale + shift


@backend.fuse
def _centred_gradient(g, x, mean, mean_g, slope, scale):
    return (g - mean_g - (x - mean) * slope) * scale


def batch_norm_grad_formula(g, x, gamma, eps):
    """Compute batch_norm_grad in Tensor operations, mean and variance included, so that it can be differentiated."""
    channels = g.shape[-1]
    g, x = g.reshape(-1, channels), x.reshape(-1, channels)
    centred = x - x.mean(0)
    r = ((centred * centred).mean(0) + eps) ** -0.5
    normalised = centred * r
    dgamma, dbeta = (g * normalised).sum(0, keepdims=True), g.sum(0, keepdims=True)
    dx = gamma * r * (g - (dbeta + normalised * dgamma) * (1.0 / len(g)))
    return concatenate(dgamma, dbeta, dx, axis=0)


def _batch_norm_vjp(g, needs_grad, y, x, gamma, beta, mean, var, eps):
    gradients = batch_norm_grad(g, x, gamma, mean, var, eps=eps)
    return gradients[2:].reshape(x.shape), gradients[0], gradients[1], None, None


def _batch_norm_grad_vjp(u, needs_grad, gradients, g, x, gamma, mean, var, eps):
    return *vjp_of(lambda g, x, gamma: batch_norm_grad_formula(g, x, gamma, eps), u, (g, x, gamma)), None, None


batch_norm.def_joint_vjp(_batch_norm_vjp)
batch_norm_grad.def_joint_vjp(_batch_norm_grad_vjp)

"""Fast formulas for primitives, layers and Adam. They read and write memory as little as possible.

Large arrays have one shape (..., C). Arrays with a number for each channel are (C,), or (parts, C) if a batch is
divided into parts. All other arguments are numbers, or arrays of one number. backend.xp is read at call time, because
it depends on the device. The functions named *_gradients are the fused vjps of primitives: (g, needs_grad, y, *args) ->
dL/d argument for each argument, with g = dL/dy.
"""

from functools import partial

from .. import backend
from . import distributed, fuse


def square(x):
    return x * x


def identity(x):
    return x


def stable_sigmoid(x):
    """1 / (1 + e^-x), computed without overflow"""
    xp = backend.xp
    return xp.exp(xp.minimum(x, 0.0)) / (1.0 + xp.exp(-xp.abs(x)))


def stable_softplus(x):
    """ln(1 + e^x), computed without overflow"""
    xp = backend.xp
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))


def slope_at(y, slope):
    """1 where y > 0, else slope        the derivative of y = leaky_relu(x), from y"""
    return backend.xp.maximum(backend.xp.sign(y), slope)


sigmoid = fuse(stable_sigmoid)
softplus = fuse(stable_softplus)


def mean_softplus(x, sign, weight):
    return backend.column_sums(scaled_softplus, x.reshape(-1), sign, weight / x.size).reshape(())


def scaled_softplus(x, sign, factor):
    return factor * stable_softplus(sign * x)


def mean_softplus_gradients(g, needs_grad, y, x, sign, weight=1.0):
    return (scaled_sigmoid(x, g, sign, weight * sign / x.size),)


@fuse
def scaled_sigmoid(x, g, sign, factor):
    return stable_sigmoid(sign * x) * g * factor


def tanh_gradients(g, needs_grad, y, x):
    return (tanh_gradient(g, y),)


@fuse
def tanh_gradient(g, y):
    return g * (1.0 - y * y)


@fuse
def leaky_relu(x, slope):
    return backend.xp.maximum(x, slope * x)


@fuse
def leaky_relu_grad(g, y, slope):
    return g * slope_at(y, slope)


@fuse
def add_bias(x, bias, slope):
    z = x + bias
    return backend.xp.maximum(z, slope * z)


def add_bias_gradients(g, needs_grad, y, x, bias, slope):
    if not needs_grad[1]:
        return g if slope == 1 else leaky_relu_grad(g, y, slope), None
    if slope == 1:
        return g, backend.column_sums(identity, g)
    dx = backend.xp.empty(g.shape, g.dtype)
    return dx, backend.column_sums(leaky_relu_grad, g, y, slope, out=dx)


def divide_gradients(g, needs_grad, y, a, b):
    """Return the gradients for a single number b that needs a gradient. Return NotImplemented in other cases."""
    if not needs_grad[1] or b.size != 1 or not g.size or a.shape != g.shape:
        return NotImplemented
    db = backend.column_sums(divisor_gradient, g.reshape(-1), y.reshape(-1), b.reshape(-1)).reshape(b.shape)
    return g / b if needs_grad[0] else None, db


def divisor_gradient(g, y, b):
    return -g * y / b


def mean(x):
    return backend.column_sums(scaled, x.reshape(-1), 1.0 / x.size).reshape(())


def scaled(x, factor):
    return factor * x


def mean_square(x, target):
    return backend.column_sums(scaled_square, x.reshape(-1), target, 1.0 / x.size).reshape(())


def scaled_square(x, target, factor):
    return factor * square(x - target)


def mean_square_gradients(g, needs_grad, y, x, target):
    return (scaled_difference(x, g, target, 2.0 / x.size),)


@fuse
def scaled_difference(x, g, target, factor):
    return (x - target) * g * factor


@fuse
def root(x, eps):
    return backend.xp.sqrt(x + eps)


def sqrt_gradients(g, needs_grad, y, x, eps=0.0):
    return (sqrt_gradient(g, y),)


@fuse
def sqrt_gradient(g, y):
    return g / (2.0 * y)


def batch_norm_statistics(x, gamma, beta, running_mean, running_var, momentum, eps, parts=1):
    """Return mean, var, scale, shift, (parts, C) each, for arrays x: (N, ..., C), gamma, beta: (C,).

    The batch is divided into equal parts, and row i of each result belongs to part i. The parts update the running
    averages one after the other. batch_norm is then x scale + shift.
    """
    rows = x.size // x.shape[-1] // parts * distributed.size
    mean, var, scale, shift = (backend.xp.empty((parts, gamma.size), gamma.dtype) for _ in range(4))
    args = running_mean, running_var, gamma, beta, momentum, rows / max(rows - 1, 1), eps
    out = mean, var, running_mean, running_var, scale, shift
    backend.mean_and_variance(x, parts, then=partial(statistics, *args, out=out))  # statistics(*args, mean, var)
    return mean, var, scale, shift


@fuse
def statistics(running_mean, running_var, gamma, beta, momentum, unbiased, eps, mean, var):
    scale = gamma / backend.xp.sqrt(var + eps)
    running_mean = running_mean + momentum * (mean - running_mean)
    running_var = running_var + momentum * (var * unbiased - running_var)
    return mean, var, running_mean, running_var, scale, beta - mean * scale


def batch_norm(x, scale, shift, slope):
    """max(z, slope z), z = x scale + shift        x: (N, ..., C); scale, shift: (parts, C)"""
    parts = x.reshape(*scale.shape[:1], -1, x.shape[-1])
    return scaled_leaky_relu(parts, scale[:, None], shift[:, None], slope).reshape(x.shape)


@fuse
def scaled_leaky_relu(x, scale, shift, slope):
    z = x * scale + shift
    return backend.xp.maximum(z, slope * z)


def batch_norm_gradients(g, needs_grad, y, x, gamma, beta, statistics, eps, slope=1.0):
    """One pass over memory computes sum(h) and sum(h (x - mean)), which all gradients need. Another computes dL/dx.

    If several processes train together, dL/dgamma and dL/dbeta are sums over the local batch, but mean(h) and mean(h x̂)
    are means over the whole batch.
    """
    (mean, var, _, _), shape = statistics, x.shape
    dgamma, dbeta = backend.xp.empty((2, *gamma.shape), mean.dtype)
    factors = backend.xp.empty((3, *mean.shape), mean.dtype)
    then = partial(gradient_factors, gamma, var, eps, mean.size / g.size, out=(dgamma, dbeta, *factors))
    backend.column_sums(h_products, g, y, x, mean, slope, parts=len(mean), then=then)
    distributed.average(factors[:2])
    g, y, x = (array.reshape(len(mean), -1, mean.shape[1]) for array in (g, y, x))
    dx = batch_norm_gradient(g, y, x, *(row[:, None] for row in (mean, *factors)), slope)
    return dx.reshape(shape), dgamma, dbeta


def h_products(g, y, x, mean, slope):
    h = g * slope_at(y, slope)
    return h, h * (x - mean)


@fuse
def gradient_factors(gamma, var, eps, one_over_rows, sum_h, product):
    """Return dL/dgamma, dL/dbeta, and the arguments mean_h, projection and scale of batch_norm_gradient."""
    r = 1.0 / backend.xp.sqrt(var + eps)
    return r * product, sum_h, sum_h * one_over_rows, r * r * product * one_over_rows, gamma * r


@fuse
def batch_norm_gradient(g, y, x, mean, mean_h, projection, scale, slope):
    h = g * slope_at(y, slope)
    return (h - mean_h - (x - mean) * projection) * scale


def adam_scalars(gradient, t, log_beta1, one_minus_beta2, out):
    """Write t + 1, |gradient|, 1 / (1 - b1^(t + 1)) and 1 / (1 - b2^(t + 1)) into the four arrays of `out`."""
    backend.column_sums(square, gradient, then=partial(bias_corrections, t, log_beta1, one_minus_beta2, out=out))


@fuse
def bias_corrections(t, log_beta1, one_minus_beta2, squared_norm):
    """Compute the results of adam_scalars. 1 - b^t = -expm1(t ln b) is accurate in float32 even if b^t is near 1."""
    xp, t = backend.xp, t + 1.0
    return t, xp.sqrt(squared_norm), -1.0 / xp.expm1(t * log_beta1), -1.0 / xp.expm1(t * xp.log1p(-one_minus_beta2))


@fuse
def adam(p, g, m, v, one_minus_beta1, one_minus_beta2, m_scale, v_scale, lr, eps):
    m = m + one_minus_beta1 * (g - m)
    v = v + one_minus_beta2 * (g * g - v)
    return p - lr * m_scale * m / (backend.xp.sqrt(v_scale * v) + eps), m, v


def normalise(x, out):
    """out = x / |x|, for a vector x of any shape"""
    divide_by_root(x.reshape(-1), backend.column_sums(square, x.reshape(-1)), 1e-12, out=out)


@fuse
def divide_by_root(x, square, eps):
    return x / (backend.xp.sqrt(square) + eps)


def scores(real, fake, after, over_real, over_fake):
    """Return the three logits and two numbers: 1 if real > over_real, else 0, and 1 if fake < over_fake, else 0."""
    xp = backend.xp
    right = xp.maximum(xp.sign(real - over_real), 0.0), xp.maximum(xp.sign(over_fake - fake), 0.0)
    return real, fake, after, *right


def probability_scores(real, fake, after, over_real, over_fake):
    """Return the results of `scores` with sigmoids of the logits in place of the logits."""
    _, _, _, real_right, fake_right = scores(real, fake, after, over_real, over_fake)
    return stable_sigmoid(real), stable_sigmoid(fake), stable_sigmoid(after), real_right, fake_right

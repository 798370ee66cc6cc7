"""Fast formulas for primitives, layers and Adam. They avoid passes over memory.

The large arrays of a formula have one shape (..., C). Arrays with a number for each channel are (C,), or (parts, C) if
a batch is divided into parts. All other arguments are numbers, or arrays of one number. The formulas read backend.xp
when they are called, because it depends on the device.

A function named *_gradients is the fused vjp of a primitive y = f(*args): it returns dL/d argument for each argument.
g is dL/dy. needs_grad has a bool for each argument; a gradient that is not needed can be None.
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


def scaled_below_zero(z, slope):
    """z where z > 0, else slope z        max(z, slope z) is not the same: it is NaN for z = inf and slope = 0."""
    xp = backend.xp
    return xp.maximum(z, slope * xp.minimum(z, 0.0))


def slope_at(y, slope):
    """dy/dx of y = leaky_relu(x), computed from y: 1 where y > 0, else slope"""
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
    return scaled_below_zero(x, slope)


@fuse
def leaky_relu_grad(g, y, slope):
    return g * slope_at(y, slope)


@fuse
def add_bias(x, bias, slope):
    return scaled_below_zero(x + bias, slope)


def add_bias_gradients(g, needs_grad, y, x, bias, slope):
    if not needs_grad[1]:
        return g if slope == 1 else leaky_relu_grad(g, y, slope), None
    if slope == 1:
        return g, backend.column_sums(identity, g)
    dx = backend.xp.empty(g.shape, g.dtype)
    return dx, backend.column_sums(leaky_relu_grad, g, y, slope, out=dx)


def divide_gradients(g, needs_grad, y, a, b):
    """Return the gradients if b is one number that needs a gradient, and a is not empty and not broadcast.

    In other cases return NotImplemented. Then the vjps of `divide` are used.
    """
    if not needs_grad[1] or b.size != 1 or not g.size or getattr(a, "shape", ()) != g.shape:
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
    """Return mean, var, scale and shift of a batch x: (N, ..., C). gamma, beta: (C,).

    The batch is divided into equal parts. Each result is (parts, C), with row i for part i. The normalised part is
    x scale + shift. The parts update the running averages one after the other.
    """
    rows = x.size // x.shape[-1] // parts * distributed.size
    mean, var, scale, shift = (backend.xp.empty((parts, gamma.size), gamma.dtype) for _ in range(4))
    args = running_mean, running_var, gamma, beta, momentum, rows / max(rows - 1, 1), eps
    out = mean, var, running_mean, running_var, scale, shift
    backend.mean_and_variance(x, parts, then=partial(statistics, *args, out=out))  # calls statistics(*args, mean, var)
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
    return scaled_below_zero(x * scale + shift, slope)


def batch_norm_gradients(g, needs_grad, y, x, gamma, beta, statistics, eps, slope=1.0):
    """Compute the gradients of batch_norm (autograd/normalization.py) in two passes over memory.

    h = g where y > 0, else slope g. The first pass computes sum(h) and sum(h (x - mean)), which give dL/dgamma and
    dL/dbeta. The second pass computes dL/dx from these sums.

    If several processes train together, dL/dgamma and dL/dbeta are sums over the local batch. The formula of dL/dx has
    mean(h) and mean(h x̂), which are means over the whole batch.
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
    """Return dL/dgamma, dL/dbeta, and the arguments mean_h, projection and scale of batch_norm_gradient.

    sum_h, product: sum(h) and sum(h (x - mean)). one_over_rows: 1 / the number of values of a channel in a part.
    """
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
    """Return the four results of adam_scalars. 1 - b^t is computed as -expm1(t ln b).

    In float32 this is accurate even if b^t is near 1.
    """
    xp, t = backend.xp, t + 1.0
    return t, xp.sqrt(squared_norm), -1.0 / xp.expm1(t * log_beta1), -1.0 / xp.expm1(t * xp.log1p(-one_minus_beta2))


@fuse
def adam(p, g, m, v, one_minus_beta1, one_minus_beta2, m_scale, v_scale, lr, eps):
    m = m + one_minus_beta1 * (g - m)
    v = v + one_minus_beta2 * (g * g - v)
    return p - lr * m_scale * m / (backend.xp.sqrt(v_scale * v) + eps), m, v


def normalise(x, out):
    """out = x / |x|, where |x| is the root of the sum of the squares of all elements"""
    divide_by_root(x.reshape(-1), backend.column_sums(square, x.reshape(-1)), 1e-12, out=out)


@fuse
def divide_by_root(x, square, eps):
    return x / (backend.xp.sqrt(square) + eps)


def scores(real, fake, after, over_real, over_fake):
    """Return the three logits, and two numbers that are 1 if D is right, else 0.

    D is right about a real image if real > over_real, and about a fake image if fake < over_fake. after: the logit of
    the same fake image, after the update of D.
    """
    xp = backend.xp
    right = xp.maximum(xp.sign(real - over_real), 0.0), xp.maximum(xp.sign(over_fake - fake), 0.0)
    return real, fake, after, *right


def probability_scores(real, fake, after, over_real, over_fake):
    """Return the results of `scores`, with the probability sigmoid(logit) in place of each logit."""
    _, _, _, real_right, fake_right = scores(real, fake, after, over_real, over_fake)
    return stable_sigmoid(real), stable_sigmoid(fake), stable_sigmoid(after), real_right, fake_right

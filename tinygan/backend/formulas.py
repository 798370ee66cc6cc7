"""The formulas of the engine's primitives, layers and Adam, joined into few passes over memory.

Large arrays have one shape (..., C), arrays for each channel (C,); other arguments are one number. `xp` is read at call
time, because it depends on the device.
"""

from .. import backend
from . import fuse


@fuse
def leaky_relu(x, slope):
    return backend.xp.maximum(x, slope * x)


@fuse
def leaky_relu_grad(x, y, slope):
    return x * backend.xp.maximum(backend.xp.sign(y), slope)  # the mask is 1 where y > 0, else the slope


@fuse
def bias_leaky_relu(x, bias, slope):
    z = x + bias
    return backend.xp.maximum(z, slope * z)


def bias_gradients(g, y, slope):
    """Return dL/dx and dL/db of leaky ReLU of x + b, in one pass."""
    if slope == 1:
        return g, backend.column_sums(identity, g)
    dx = backend.xp.empty(g.shape, g.dtype)
    return dx, backend.column_sums(leaky_relu_grad, g, y, slope, out=dx)


@fuse
def sigmoid(x):
    xp = backend.xp
    return xp.exp(xp.minimum(x, 0.0)) / (1.0 + xp.exp(-xp.abs(x)))


@fuse
def softplus(x):
    xp = backend.xp
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))


def softplus_share(x, sign, share):
    xp, z = backend.xp, sign * x
    return share * (xp.maximum(z, 0.0) + xp.log1p(xp.exp(-xp.abs(z))))


@fuse
def softplus_share_grad(x, g, sign, share):
    xp, z = backend.xp, sign * x
    return xp.exp(xp.minimum(z, 0.0)) / (1.0 + xp.exp(-xp.abs(z))) * g * sign * share


def batch_norm_statistics(x, gamma, beta, running_mean, running_var, momentum, eps):
    """Return mean, var, scale, shift, (C,) each, for arrays x: (..., C), gamma, beta; update the running averages."""
    rows = x.size // x.shape[-1]
    mean, var, scale, shift = (backend.xp.empty_like(gamma) for _ in range(4))
    args = running_mean, running_var, gamma, beta, momentum, rows / max(rows - 1, 1), eps
    out = mean, var, running_mean, running_var, scale, shift
    backend.mean_and_variance(x, then=(statistics, args, out))
    return mean, var, scale, shift


def batch_norm_gradients(g, y, x, gamma, statistics, eps, slope):
    """Return dL/dx, dL/dgamma, dL/dbeta: one pass for the sums that they share, one for dL/dx."""
    mean, var, _, _ = statistics
    dgamma, dbeta, *factors = out = [backend.xp.empty_like(mean) for _ in range(5)]
    then = gradient_factors, (gamma, var, eps, g.shape[-1] / g.size), tuple(out)
    backend.column_sums(masked_products, g, y, x, mean, slope, then=then)
    return centred_gradient(g, y, x, mean, *factors, slope), dgamma, dbeta


@fuse
def statistics(mean, var, running_mean, running_var, gamma, beta, momentum, unbiased, eps):
    """mean, var, both running averages, and the scale and shift of gamma (x - mean) / sqrt(var + eps) + beta"""
    scale = gamma / backend.xp.sqrt(var + eps)
    running_mean = running_mean + momentum * (mean - running_mean)
    running_var = running_var + momentum * (var * unbiased - running_var)
    return mean, var, running_mean, running_var, scale, beta - mean * scale


@fuse
def normalised(x, scale, shift, slope):
    z = x * scale + shift
    return backend.xp.maximum(z, slope * z)


def masked_products(g, y, x, mean, slope):
    h = g * backend.xp.maximum(backend.xp.sign(y), slope)
    return h, h * (x - mean)


@fuse
def gradient_factors(sum_h, product, gamma, var, eps, share):
    """dL/dgamma, dL/dbeta, mean(h), and the factors of x - mean and of the whole in dL/dx"""
    r = 1.0 / backend.xp.sqrt(var + eps)
    return r * product, sum_h, sum_h * share, r * r * product * share, gamma * r


@fuse
def centred_gradient(g, y, x, mean, mean_h, projection, scale, slope):
    h = g * backend.xp.maximum(backend.xp.sign(y), slope)
    return (h - mean_h - (x - mean) * projection) * scale


@fuse
def adam_scalars(square, t, log_b1, one_minus_b2):
    """t + 1, the norm, 1 / (1 - b1^t), 1 / (1 - b2^t), by expm1(t ln b): accurate in float32 when b^t is near 1."""
    xp, t = backend.xp, t + 1.0
    return t, xp.sqrt(square), -1.0 / xp.expm1(t * log_b1), -1.0 / xp.expm1(t * xp.log1p(-one_minus_b2))


@fuse
def adam(p, g, m, v, one_minus_b1, one_minus_b2, m_scale, v_scale, lr, eps):
    m = m + one_minus_b1 * (g - m)
    v = v + one_minus_b2 * (g * g - v)
    return p - lr * m_scale * m / (backend.xp.sqrt(v_scale * v) + eps), m, v


def normalise(x, out):
    """out = x / |x|, as vectors"""
    divide_by_root(x.reshape(-1), backend.column_sums(square, x.reshape(-1)), 1e-12, out=out)


@fuse
def divide_by_root(x, square, eps):
    return x / (backend.xp.sqrt(square) + eps)


def divisor_gradient(g, y, b):
    """Return dL/db of y = a / b for b of one number."""
    return backend.column_sums(quotient_grad, g.reshape(-1), y.reshape(-1), b.reshape(-1)).reshape(b.shape)


def quotient_grad(g, y, b):
    return -g * y / b


@fuse
def tanh_grad(g, y):
    return g * (1.0 - y * y)


def scores(real, fake, after, over_real, over_fake):
    """The outputs of D for real, fake and new fake images, and whether the first two are right."""
    xp = backend.xp
    right = xp.maximum(xp.sign(real - over_real), 0.0), xp.maximum(xp.sign(over_fake - fake), 0.0)
    return real, fake, after, *right


def probability_scores(real, fake, after, over_real, over_fake):
    """The same with the sigmoids of the outputs."""
    xp = backend.xp
    right = xp.maximum(xp.sign(real - over_real), 0.0), xp.maximum(xp.sign(over_fake - fake), 0.0)
    p_real = xp.exp(xp.minimum(real, 0.0)) / (1.0 + xp.exp(-xp.abs(real)))
    p_fake = xp.exp(xp.minimum(fake, 0.0)) / (1.0 + xp.exp(-xp.abs(fake)))
    p_after = xp.exp(xp.minimum(after, 0.0)) / (1.0 + xp.exp(-xp.abs(after)))
    return p_real, p_fake, p_after, *right


def square(x):
    return x * x


def identity(x):
    return x

"""Batch normalisation and the activation after it, exact to any order (Ioffe & Szegedy 2015).

    y = max(z, a z),   z = gamma x̂ + beta,   x̂ = (x - mean) r,   r = 1 / sqrt(var + eps)

mean and var, of each channel of x, are passed in with the running averages updated. They are cached values, not
constants: the gradients take into account that both depend on x. With h = dL/dz = g where y > 0, else a g, they share
two sums (paper, section 3):

    dL/dgamma = sum(h x̂),   dL/dbeta = sum(h),   dL/dx = gamma r (h - mean(h) - x̂ mean(h x̂))
"""

from .. import backend
from ..backend import formulas
from .activations import leaky_relu
from .backward import vjp_of
from .tensor import Tensor, is_recording, primitive


def batch_statistics(x, gamma, beta, running_mean, running_var, momentum, eps):
    """Return (mean, var, scale, shift), (C,) each, of arrays x: (..., C), gamma, beta; update the running averages."""
    rows = x.size // x.shape[-1]
    mean, var, scale, shift = (backend.xp.empty_like(gamma) for _ in range(4))
    args = running_mean, running_var, gamma, beta, momentum, rows / max(rows - 1, 1), eps
    out = mean, var, running_mean, running_var, scale, shift
    backend.mean_and_variance(x, then=(formulas.batch_statistics, args, out))
    return mean, var, scale, shift


@primitive
def batch_norm(x, gamma, beta, statistics, eps, slope=1.0):
    """y = max(z, a z), z = gamma (x - mean) / sqrt(var + eps) + beta        x: (..., C); gamma, beta: (C,)

    statistics: `batch_statistics(x, ...)`. slope a: of the leaky ReLU; 1 for none.
    """
    _, _, scale, shift = statistics
    return formulas.normalised(x, scale, shift, slope)


def batch_norm_formula(x, gamma, beta, eps, slope):
    """Compute batch_norm in Tensor operations, mean and variance included: all its derivatives follow from these."""
    axes = tuple(range(x.ndim - 1))
    centred = x - x.mean(axes)
    z = gamma * centred * ((centred * centred).mean(axes) + eps) ** -0.5 + beta
    return z if slope == 1 else leaky_relu(z, slope=slope)


def _batch_norm_vjp(g, needs_grad, y, x, gamma, beta, statistics, eps, slope=1.0):
    if is_recording():  # the gradients are differentiated again
        return *vjp_of(lambda *args: batch_norm_formula(*args, eps, slope), g, (x, gamma, beta)), None
    g, y, x, (mean, var, _, _) = g.data, y.data, x.data, statistics
    dgamma, dbeta, *factors = out = [backend.xp.empty_like(mean) for _ in range(5)]
    then = formulas.gradient_factors, (gamma.data, var, eps, g.shape[-1] / g.size), tuple(out)
    backend.column_sums(formulas.masked_products, g, y, x, mean, slope, then=then)
    dx = formulas.centred_gradient(g, y, x, mean, *factors, slope)
    return Tensor(dx), Tensor(dgamma), Tensor(dbeta), None


batch_norm.def_joint_vjp(_batch_norm_vjp)

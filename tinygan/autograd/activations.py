"""Activation functions. In the formulas g = dL/dy: the gradient of the loss L with respect to the result y."""

from .. import backend
from ..backend import formulas
from .arithmetic import unbroadcast
from .tensor import primitive

# fmt: off
# The line below each operation defines its derivative.


@primitive
def tanh(x):
    """y = tanh x        dL/dx = g (1 - y^2)"""
    return backend.xp.tanh(x)
tanh.defvjp(lambda g, y, x: g * (1.0 - y * y))
tanh.def_fused_vjp(formulas.tanh_gradients)


@primitive
def sigmoid(x):
    """y = 1 / (1 + e^-x)        dL/dx = g y (1 - y)"""
    return formulas.sigmoid(x)
sigmoid.defvjp(lambda g, y, x: g * y * (1.0 - y))


@primitive
def softplus(x):
    """y = ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|)        dL/dx = g sigmoid(x)"""
    return formulas.softplus(x)
softplus.defvjp(lambda g, y, x: g * sigmoid(x))


@primitive
def mean_softplus(x, sign, weight=1.0):
    """y = w times the mean of ln(1 + e^(s x)) over the n elements of x        dL/dx = g w s sigmoid(s x) / n"""
    return formulas.mean_softplus(x, sign, weight)
mean_softplus.defvjp(lambda g, y, x, sign, weight=1.0: g * (weight * sign / x.size) * sigmoid(sign * x))
mean_softplus.def_fused_vjp(formulas.mean_softplus_gradients)


@primitive
def leaky_relu(x, slope):
    """y = max(x, a x)        dL/dx = g where y > 0, else a g        slope a, from 0 (ReLU) to 1"""
    if not 0 <= slope <= 1:
        raise ValueError(f"leaky ReLU is max(x, slope x) for slopes from 0 to 1; got {slope}")
    return formulas.leaky_relu(x, slope)
leaky_relu.defvjp(lambda g, y, x, slope: leaky_relu_grad(g, y.data, slope=slope))


def relu(x):
    """max(x, 0)"""
    return leaky_relu(x, slope=0.0)


@primitive
def leaky_relu_grad(u, y, slope):
    """z = u where y > 0, else a u        dL/du = g where y > 0, else a g, g = dL/dz        a: slope; y: a constant"""
    return formulas.leaky_relu_grad(u, y, slope)
leaky_relu_grad.defvjp(lambda g, z, u, y, slope: leaky_relu_grad(g, y, slope=slope))


@primitive
def add_bias(x, bias, slope):
    """y = max(z, a z), z = x + b        dL/dx = g where y > 0, else a g; dL/db = sum of dL/dx        a: the slope"""
    if x.ndim < 2 or bias.shape != x.shape[-1:]:
        raise ValueError(f"add_bias needs x: (N, ..., C) and bias: (C,); got shapes {x.shape} and {bias.shape}")
    return formulas.add_bias(x, bias, slope)
add_bias.defvjp(
    lambda g, y, x, bias, slope: times_slope(g, y, slope),
    lambda g, y, x, bias, slope: unbroadcast(times_slope(g, y, slope), bias),
)
add_bias.def_fused_vjp(formulas.add_bias_gradients)


def times_slope(g, y, slope):
    return g if slope == 1 else leaky_relu_grad(g, y.data, slope=slope)

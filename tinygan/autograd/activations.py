"""Activation functions. In the formulas g = dL/dy: the gradient of the loss L with respect to the result y."""

from .. import backend
from ..backend import fast
from .arithmetic import unbroadcast
from .tensor import primitive

# fmt: off
# The line below each primitive defines its derivative.


@primitive
def tanh(x):
    """y = tanh x        dL/dx = g (1 - y^2)"""
    return backend.xp.tanh(x)
tanh.defvjp(lambda g, y, x: g * (1.0 - y * y))


@primitive
@backend.fuse
def sigmoid(x):
    """y = 1 / (1 + e^-x)        dL/dx = g y (1 - y)        e^-|x| does not overflow"""
    xp = backend.xp
    return xp.exp(xp.minimum(x, 0.0)) / (1.0 + xp.exp(-xp.abs(x)))
sigmoid.defvjp(lambda g, y, x: g * y * (1.0 - y))


@primitive
@backend.fuse
def softplus(x):
    """y = ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|)        dL/dx = g sigmoid(x)"""
    xp = backend.xp
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))
softplus.defvjp(lambda g, y, x: g * sigmoid(x))


@primitive
def leaky_relu(x, slope):
    """y = x where x > 0, else a x        dL/dx = g where y > 0, else a g        slope a, from 0 (ReLU) to 1"""
    return fast.leaky_relu(x, slope)
leaky_relu.defvjp(lambda g, y, x, slope: leaky_relu_grad(g, y.data, slope=slope))


@primitive
def leaky_relu_grad(u, y, slope):
    """z = u where y > 0, else a u        dL/du = g where y > 0, else a g, g = dL/dz        a: slope; y: a constant"""
    return fast.leaky_relu_grad(u, y, slope)
leaky_relu_grad.defvjp(lambda g, z, u, y, slope: leaky_relu_grad(g, y, slope=slope))


def relu(x):
    """y = x where x > 0, else 0"""
    return leaky_relu(x, slope=0.0)


@primitive
def bias_leaky_relu(x, bias, slope):
    """y = leaky ReLU of x + b        dL/dx = g where y > 0, else a g; dL/db = sum of dL/dx        bias b: (C,)"""
    return fast.bias_leaky_relu(x, bias, slope)


def bias_leaky_relu_vjp(g, needed, y, x, bias, slope):
    dx = leaky_relu_grad(g, y.data, slope=slope)
    return dx, unbroadcast(dx, bias) if needed[1] else None
bias_leaky_relu.vjp = bias_leaky_relu_vjp  # type: ignore[method-assign]  # one function, because dL/db needs dL/dx

"""Activation functions."""

from .. import backend
from .tensor import primitive

# fmt: off
# An operation and its derivative stand together.


@backend.fuse
def _relu(x):
    return backend.xp.maximum(x, 0.0)


@backend.fuse
def _leaky_relu(x, slope):
    return backend.xp.maximum(x, slope * x)


@backend.fuse
def _leaky_relu_grad(x, y, slope):
    return x * backend.xp.maximum(backend.xp.sign(y), slope)  # the mask is 1 where y > 0, else the slope


@primitive
def tanh(x):
    """y = tanh x        dL/dx = g (1 - y^2)"""
    return backend.xp.tanh(x)
tanh.defvjp(lambda g, y, x: g * (1.0 - y * y))


@primitive
def sigmoid(x):
    """y = 1 / (1 + e^-x)        dL/dx = g y (1 - y)        computed without overflow for large |x|"""
    xp = backend.xp
    return xp.exp(xp.minimum(x, 0.0)) / (1.0 + xp.exp(-xp.abs(x)))
sigmoid.defvjp(lambda g, y, x: g * y * (1.0 - y))


@primitive
def softplus(x):
    """y = ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|)        dL/dx = g sigmoid(x)"""
    xp = backend.xp
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))
softplus.defvjp(lambda g, y, x: g * sigmoid(x))


@primitive
def relu(x):
    """y = max(x, 0)        dL/dx = g where y > 0, else 0"""
    return _relu(x)
relu.defvjp(lambda g, y, x: leaky_relu_grad(g, y.data, slope=0.0))


@primitive
def leaky_relu(x, slope):
    """y = max(x, a x), 0 <= a <= 1        dL/dx = g where y > 0, else a g"""
    if not 0 <= slope <= 1:
        raise ValueError(f"leaky ReLU is max(x, slope x) for slopes from 0 to 1; got {slope}")
    return _leaky_relu(x, slope)
leaky_relu.defvjp(lambda g, y, x, slope: leaky_relu_grad(g, y.data, slope=slope))


@primitive
def leaky_relu_grad(x, y, slope):
    """z = x where y > 0, else a x; y is a constant array        dL/dx = g where y > 0, else a g"""
    return _leaky_relu_grad(x, y, slope)
leaky_relu_grad.defvjp(lambda g, z, x, y, slope: leaky_relu_grad(g, y, slope=slope))

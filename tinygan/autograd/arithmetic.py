"""Elementwise arithmetic with broadcasting, and the matrix product. In the formulas g = dL/dy."""

from .. import backend
from .shapes import sum_to
from .tensor import Tensor, primitive

# fmt: off
# The line below each operation defines its derivative.


def unbroadcast(g: Tensor, x: Tensor) -> Tensor:
    """Sum g to the shape of x. A broadcast element was used several times; its gradient is the sum over these uses."""
    return g if g.shape == x.shape else sum_to(g, shape=x.shape)


@primitive
def add(a, b):
    """y = a + b        dL/da = g, dL/db = g"""
    return a + b
add.defvjp(lambda g, y, a, b: unbroadcast(g, a), lambda g, y, a, b: unbroadcast(g, b))


@primitive
def subtract(a, b):
    """y = a - b        dL/da = g, dL/db = -g"""
    return a - b
subtract.defvjp(lambda g, y, a, b: unbroadcast(g, a), lambda g, y, a, b: unbroadcast(-g, b))


@primitive
def multiply(a, b):
    """y = a b        dL/da = g b, dL/db = g a"""
    return a * b
multiply.defvjp(lambda g, y, a, b: unbroadcast(g * b, a), lambda g, y, a, b: unbroadcast(g * a, b))


@primitive
def divide(a, b):
    """y = a / b        dL/da = g / b, dL/db = -g y / b"""
    return a / b
divide.defvjp(lambda g, y, a, b: unbroadcast(g / b, a), lambda g, y, a, b: unbroadcast(-g * y / b, b))


@primitive
def negative(x):
    """y = -x        dL/dx = -g"""
    return -x
negative.defvjp(lambda g, y, x: -g)


@primitive
def power(x, exponent):
    """y = x^p        dL/dx = g p x^(p - 1)        exponent p: a number"""
    return x**exponent
# For p = 0 or 1 the factor x^(p - 1) is left out. It is 1 for p = 1, and infinite for p = 0 at x = 0.
power.defvjp(lambda g, y, x, exponent: g * float(exponent) * (1.0 if exponent in (0, 1) else x ** (exponent - 1)))


@primitive
def exp(x):
    """y = e^x        dL/dx = g y"""
    return backend.xp.exp(x)
exp.defvjp(lambda g, y, x: g * y)


@primitive
def log(x):
    """y = ln x        dL/dx = g / x"""
    return backend.xp.log(x)
log.defvjp(lambda g, y, x: g / x)


@primitive
def sqrt(x):
    """y = sqrt(x)        dL/dx = g / (2 y), infinite at x = 0"""
    return backend.xp.sqrt(x)
sqrt.defvjp(lambda g, y, x: g / (2.0 * y))


@primitive
def matmul(a, b):
    """y = a b        a: (m, k), b: (k, n), y: (m, n)        dL/da = g b^T, dL/db = a^T g"""
    return backend.matmul(a, b)
matmul.defvjp(lambda g, y, a, b: g @ b.T, lambda g, y, a, b: a.T @ g)

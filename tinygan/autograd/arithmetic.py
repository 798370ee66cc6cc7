"""Arithmetic, element by element, with broadcasting; and the matrix product."""

from .. import backend
from .shapes import sum_to
from .tensor import Tensor, primitive


def unbroadcast(g, x):
    """An argument that was broadcast was used many times: its gradient is the sum over its uses."""
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
    """y = x^p, p a number        dL/dx = g p x^(p - 1)"""
    return x**exponent


def _power_vjp(g, y, x, exponent):
    if exponent in (0, 1):  # x^(p - 1) is not finite at 0, or not needed
        return g * float(exponent)
    return g * (exponent * x ** (exponent - 1))


power.defvjp(_power_vjp)


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
    """y = sqrt(x)        dL/dx = g / (2 y)        not finite at 0: add an epsilon inside the root"""
    return backend.xp.sqrt(x)


sqrt.defvjp(lambda g, y, x: g / (2.0 * y))


@primitive
def absolute(x):
    """y = |x|        dL/dx = g sign(x)"""
    return backend.xp.abs(x)


absolute.defvjp(lambda g, y, x: g * backend.xp.sign(x.data))


@primitive
def maximum(a, b):
    """y = max(a, b)        dL/da = g [a >= b], dL/db = g [a < b]"""
    return backend.xp.maximum(a, b)


def _data(x):
    return x.data if isinstance(x, Tensor) else x


maximum.defvjp(
    lambda g, y, a, b: unbroadcast(g * (a.data >= _data(b)).astype(g.dtype), a),
    lambda g, y, a, b: unbroadcast(g * (_data(a) < b.data).astype(g.dtype), b),
)


@primitive
def matmul(a, b):
    """y = a b        a: (m, k), b: (k, n), y: (m, n)        dL/da = g b^T, dL/db = a^T g"""
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"matmul multiplies two matrices; got shapes {a.shape} and {b.shape}")
    return backend.matmul(a, b)


matmul.defvjp(lambda g, y, a, b: g @ b.T, lambda g, y, a, b: a.T @ g)


Tensor.__add__ = Tensor.__radd__ = lambda a, b: add(a, b)
Tensor.__mul__ = Tensor.__rmul__ = lambda a, b: multiply(a, b)
Tensor.__sub__, Tensor.__rsub__ = lambda a, b: subtract(a, b), lambda a, b: subtract(b, a)
Tensor.__truediv__, Tensor.__rtruediv__ = lambda a, b: divide(a, b), lambda a, b: divide(b, a)
Tensor.__matmul__, Tensor.__rmatmul__ = lambda a, b: matmul(a, b), lambda a, b: matmul(b, a)
Tensor.__neg__, Tensor.__abs__ = lambda x: negative(x), lambda x: absolute(x)
Tensor.__pow__ = lambda x, exponent: power(x, exponent=exponent)

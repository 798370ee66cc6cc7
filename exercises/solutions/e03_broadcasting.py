"""Answer 3: the shape (64, 10), and nobody complains: NumPy has made 64 biases out of one."""

import numpy as np

from .e01_vjps import multiply_vjp
from .e02_graph import Tensor, operation


def unbroadcast(g, shape):
    g = g.sum(tuple(range(g.ndim - len(shape))))
    return g.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True)


def mean_vjp(g, y, x):
    return (np.full_like(x, g / x.size),)


def summed(vjp):
    return lambda g, y, *args: tuple(unbroadcast(dx, x.shape) for dx, x in zip(vjp(g, y, *args), args))


add = operation(np.add, summed(lambda g, y, a, b: (g, g)))
multiply = operation(np.multiply, summed(multiply_vjp))
negative = operation(np.negative, lambda g, y, x: (-g,))
mean = operation(np.mean, mean_vjp)
Tensor.__add__, Tensor.__mul__, Tensor.__neg__ = add, multiply, negative

"""Exercise 3: broadcasting.                                                                   (the tour, stop 2)

NumPy adds arrays of shapes (64, 10) and (10,): it uses each of the ten numbers 64 times. It also stretches an axis of
length 1. By the chain rule, the gradient of a number is the sum over all of its uses:

    y = a + b        a: (64, 10), b: (10,), g: (64, 10)        dL/db[j] = sum over i of g[i, j]

The mean is the opposite: many numbers become one.

Question: let a vjp return g for the bias b of shape (10,), without a sum. Which shape has b - 0.1 g? Who complains?
"""

import numpy as np

from .e01_vjps import multiply_vjp
from .e02_graph import Tensor, operation


def unbroadcast(g, shape):
    """Sum g over the axes along which an array of this shape was broadcast. Return an array of this shape.

    g: the gradient of the result, for example (64, 10). shape: the shape of the argument, for example (10,), (64, 1),
    (1, 10) or (). Axes that are missing in `shape` are the first axes of g.
    """
    ...


def mean_vjp(g, y, x):
    """y = mean of all elements of x        g and y: one number each, x: any shape. Return (dL/dx,)."""
    ...


def summed(vjp):
    """Return the same vjp for broadcast arguments: each gradient is summed to the shape of its argument."""
    return lambda g, y, *args: tuple(unbroadcast(dx, x.shape) for dx, x in zip(vjp(g, y, *args), args))


add = operation(np.add, summed(lambda g, y, a, b: (g, g)))
multiply = operation(np.multiply, summed(multiply_vjp))
negative = operation(np.negative, lambda g, y, x: (-g,))
mean = operation(np.mean, mean_vjp)
Tensor.__add__, Tensor.__mul__, Tensor.__neg__ = add, multiply, negative

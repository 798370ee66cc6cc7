"""Exercise 1: the derivatives of three operations.                                            (the tour, stop 2)

An operation computes an array y, from which a number L is computed later. If g = dL/dy is known, the chain rule gives
dL/dx for each argument x. The function that computes dL/dx from g is the vector-Jacobian product (vjp). Example:

    y = exp(x)        dL/dx = g exp(x) = g y

All operations here are elementwise: y[i] depends on x[i] only. So no sum is needed, and all arrays have one shape.
A vjp returns a tuple with one gradient for each argument, also if there is only one argument.

Question: compute tanh_vjp for g = 1, y = tanh(-10), x = -10, and leaky_relu_vjp for g = 1, y = -2, x = -10. What does
this mean for the layers before them?
"""

import numpy as np


def exp_vjp(g, y, x):
    """y = exp(x)        an example: this function is complete"""
    return (g * y,)


def multiply_vjp(g, y, a, b):
    """y = a b        Return (dL/da, dL/db)."""
    ...


def tanh_vjp(g, y, x):
    """y = tanh(x)        Return (dL/dx,). The value y is known, so tanh need not be computed again."""
    ...


def leaky_relu(x):
    """y = x where x > 0, and 0.2 x elsewhere"""
    return np.where(x > 0, x, 0.2 * x)


def leaky_relu_vjp(g, y, x):
    """Return (dL/dx,) of leaky_relu."""
    ...

"""Answer 1: at x = -10 tanh passes 8e-9 of the gradient, leaky_relu 0.2. Behind a saturated tanh nothing learns."""

import numpy as np


def multiply_vjp(g, y, a, b):
    return g * b, g * a


def tanh_vjp(g, y, x):
    return (g * (1 - y**2),)


def leaky_relu(x):
    return np.where(x > 0, x, 0.2 * x)


def leaky_relu_vjp(g, y, x):
    return (np.where(x > 0, g, 0.2 * g),)

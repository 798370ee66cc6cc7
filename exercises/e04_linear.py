"""Exercise 4: the matrix product and a linear layer.                                          (the tour, stops 2, 5)

The batch x has one row for each image. A linear layer multiplies it with a matrix of weights W and adds a bias b:

    y = x W + b        x: (N, n_in), W: (n_in, n_out), b: (n_out,), y: (N, n_out)

The initial W is random, with mean 0. Its standard deviation sqrt(2 / n_in) keeps the values of a layer about as large
as those of the layer before it: each y is a sum of n_in terms, and leaky_relu nearly removes half of them.

Question: pass Tensor(rng.standard_normal((64, 128))) through Linear(128, 128, rng) and leaky_relu, four times. What is
the standard deviation after each layer? And if the standard deviation of W is 1?
"""

import numpy as np

from .e02_graph import Tensor, operation
from .e03_broadcasting import add


def matmul_vjp(g, y, a, b):
    """y = a b        a: (m, k), b: (k, n), y and g: (m, n). Return (dL/da, dL/db). The shapes help."""
    ...


matmul = operation(np.matmul, matmul_vjp)
reshape = operation(np.reshape, lambda g, y, x, shape: (g.reshape(x.shape),))  # reshape(x, shape=(2, 3))


def initial(shape, fan_in, rng):
    """Return a Tensor of random weights from N(0, 2 / fan_in), float32. rng: from np.random.default_rng(seed)."""
    ...


class Layer:
    """y = operation(x, w) + b, with the weights w, a Tensor, and the bias b, a Tensor of n_out zeros"""

    def __init__(self, operation, w, n_out):
        self.operation, self.parameters = operation, [w, Tensor(np.zeros(n_out, "float32"))]

    def __call__(self, x):
        """x: a Tensor (N, ..., n_in) -> a Tensor (N, ..., n_out)"""
        ...


def Linear(n_in, n_out, rng):
    return Layer(matmul, initial((n_in, n_out), n_in, rng), n_out)


class Sequential:
    """A network: layers one after the other. A layer is a function of a Tensor, and may have `parameters`."""

    def __init__(self, *layers):
        self.layers = layers
        self.parameters = [p for layer in layers for p in getattr(layer, "parameters", [])]

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

"""Answer 4: about 0.9 after each layer. With standard deviation 1: 7, 59, 465, 3654, eight times more each time."""

import numpy as np

from .e02_graph import Tensor, operation
from .e03_broadcasting import add


def matmul_vjp(g, y, a, b):
    return g @ b.T, a.T @ g


matmul = operation(np.matmul, matmul_vjp)
reshape = operation(np.reshape, lambda g, y, x, shape: (g.reshape(x.shape),))


def initial(shape, fan_in, rng):
    return Tensor(rng.normal(0, np.sqrt(2 / fan_in), shape).astype("float32"))


class Layer:
    def __init__(self, operation, w, n_out):
        self.operation, self.parameters = operation, [w, Tensor(np.zeros(n_out, "float32"))]

    def __call__(self, x):
        w, b = self.parameters
        return add(self.operation(x, w), b)


def Linear(n_in, n_out, rng):
    return Layer(matmul, initial((n_in, n_out), n_in, rng), n_out)


class Sequential:
    def __init__(self, *layers):
        self.layers = layers
        self.parameters = [p for layer in layers for p in getattr(layer, "parameters", [])]

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

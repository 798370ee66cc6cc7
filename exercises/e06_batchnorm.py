"""Exercise 6: BatchNorm, in training and in evaluation.                                       (the tour, stop 5)

Each channel is brought to mean 0 and variance 1, then scaled by gamma and shifted by beta. Mean and variance are taken
over all axes but the last. In training they are those of the batch, and so they depend on x too:

    y = (x - mean) / sqrt(var + EPS)        dL/dx = (g - mean(g) - y mean(g y)) / sqrt(var + EPS)

In evaluation, running averages of the training are used: a sample must not depend on the other samples of its batch.

Question: what is dL/dx if g is the same number everywhere? And if g = y? Why must this be so?
"""

import numpy as np

from .e02_graph import Tensor, operation
from .e03_broadcasting import add, multiply

EPS, MOMENTUM = 1e-5, 0.1


def normalise(x):
    """Return y of the formula: (N, ..., C) -> the same shape. x.var(axes) divides by n: it is the biased variance."""
    ...


def normalise_vjp(g, y, x):
    """Return (dL/dx,), by the formula above."""
    ...


normalised = operation(normalise, normalise_vjp)


class BatchNorm:
    """gamma normalised(x) + beta; in evaluation with the running averages in place of mean and variance."""

    def __init__(self, channels):
        self.parameters = [Tensor(np.ones(channels, "float32")), Tensor(np.zeros(channels, "float32"))]  # gamma, beta
        self.running_mean, self.running_var = np.zeros(channels, "float32"), np.ones(channels, "float32")
        self.training = True

    def __call__(self, x):
        """x: a Tensor (N, ..., C) -> a Tensor of the same shape.

        In training, also move running_mean a tenth (MOMENTUM) of the way to the mean of the batch x.data, and
        running_var a tenth of the way to the unbiased variance (ddof=1). Running averages are arrays without a graph.
        Tensors have only +, * and unary -, and both operands must be Tensors: put an array into Tensor(...).
        """
        ...

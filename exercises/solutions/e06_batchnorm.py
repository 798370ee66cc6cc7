"""Answer 6: 0 in both cases (but for EPS). To shift or to scale x leaves y as it is, so no loss can ask for it."""

import numpy as np

from .e02_graph import Tensor, operation
from .e03_broadcasting import add, multiply

EPS, MOMENTUM = 1e-5, 0.1


def normalise(x):
    axes = tuple(range(x.ndim - 1))
    return (x - x.mean(axes)) / np.sqrt(x.var(axes) + EPS)


def normalise_vjp(g, y, x):
    axes = tuple(range(x.ndim - 1))
    return ((g - g.mean(axes) - y * (g * y).mean(axes)) / np.sqrt(x.var(axes) + EPS),)


normalised = operation(normalise, normalise_vjp)


class BatchNorm:
    def __init__(self, channels):
        self.parameters = [Tensor(np.ones(channels, "float32")), Tensor(np.zeros(channels, "float32"))]
        self.running_mean, self.running_var = np.zeros(channels, "float32"), np.ones(channels, "float32")
        self.training = True

    def __call__(self, x):
        if self.training:
            axes = tuple(range(x.data.ndim - 1))
            self.running_mean += MOMENTUM * (x.data.mean(axes) - self.running_mean)
            self.running_var += MOMENTUM * (x.data.var(axes, ddof=1) - self.running_var)
            y = normalised(x)
        else:
            scale = 1 / np.sqrt(self.running_var + EPS)
            y = add(multiply(x, Tensor(scale)), Tensor(-self.running_mean * scale))
        gamma, beta = self.parameters
        return add(multiply(y, gamma), beta)

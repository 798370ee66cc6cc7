"""Activations and dropout as layers, and the bias of a layer."""

from .. import autograd
from ..autograd import Tensor
from ..backend.fast import check_slope
from .module import Module


def with_bias(x: Tensor, bias: Tensor | None, slope: float) -> Tensor:
    """Return leaky ReLU of x + bias        slope 1: no activation; bias: (C,), or None for none"""
    if slope == 1:
        return x if bias is None else x + bias
    return autograd.leaky_relu(x, slope=slope) if bias is None else autograd.bias_leaky_relu(x, bias, slope=slope)


class LeakyReLU(Module):
    """y = x where x > 0, else slope x        Unlike ReLU it has a gradient for x < 0, so D always gives one to G."""

    def __init__(self, slope: float = 0.2) -> None:
        check_slope(slope)
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return autograd.leaky_relu(x, slope=self.slope)


class ReLU(LeakyReLU):
    """y = x where x > 0, else 0"""

    def __init__(self) -> None:
        super().__init__(0.0)


class Tanh(Module):
    """y = tanh x, in (-1, 1). Real images are scaled to the same range."""

    def forward(self, x: Tensor) -> Tensor:
        return autograd.tanh(x)


class Dropout(Module):
    """y = x m / (1 - p), where each element of m is 0 with probability p, else 1        (Srivastava et al. 2014)

    In evaluation mode y = x. Raises ValueError unless 0 <= p < 1.
    """

    def __init__(self, p: float, rng) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"the probability of dropout must be at least 0 and less than 1; got {p}")
        self.p, self.rng = p, rng

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        mask = (self.rng.uniform(x.shape, x.dtype) >= self.p).astype(x.dtype)
        return x * (mask * (1.0 / (1.0 - self.p)))

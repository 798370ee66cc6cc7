"""Activations as layers (their formulas are in autograd/activations.py), and dropout."""

from .. import autograd
from ..autograd import Tensor
from .module import Module


def biased(y: Tensor, bias: Tensor | None, slope: float) -> Tensor:
    """max(z, slope z), z = y + bias        bias: (C,) or None; slope: 1 for no activation"""
    if bias is not None:
        return autograd.bias_leaky_relu(y, bias, slope=slope)
    return y if slope == 1 else autograd.leaky_relu(y, slope=slope)


class LeakyReLU(Module):
    """max(x, slope x): unlike ReLU it has a gradient for x < 0 too, so D always passes a gradient on to G."""

    def __init__(self, slope: float = 0.2) -> None:
        autograd.leaky_relu(Tensor(0.0), slope=slope)  # raises ValueError for a slope outside 0 to 1
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        return autograd.leaky_relu(x, slope=self.slope)


class ReLU(LeakyReLU):
    """max(x, 0)"""

    def __init__(self) -> None:
        super().__init__(0.0)


class Tanh(Module):
    """tanh x, in (-1, 1): the range that images are scaled to."""

    def forward(self, x: Tensor) -> Tensor:
        return autograd.tanh(x)


class Dropout(Module):
    """y = x m / (1 - p), where each element of m is 0 with probability p, else 1        (Srivastava et al. 2014)

    In evaluation mode, and for p = 0, y = x. Raises ValueError for p below 0, or 1 and above.
    """

    def __init__(self, p: float, rng) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"dropout takes a probability of at least 0 and less than 1; got {p}")
        self.p, self.rng = p, rng

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.p:
            return x
        mask = (self.rng.uniform(x.shape, x.dtype) >= self.p).astype(x.dtype)
        return x * (mask * (1.0 / (1.0 - self.p)))

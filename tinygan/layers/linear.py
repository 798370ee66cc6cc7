"""The fully connected layer."""

from .. import backend
from ..autograd import Tensor
from .activation import with_bias
from .initial import normal
from .module import Module


class Linear(Module):
    """y = x W + b        x: (N, n_in) -> y: (N, n_out); weight W: (n_in, n_out), bias b: (n_out,)

    Raises ValueError for an input of another shape.
    """

    def __init__(self, n_in: int, n_out: int, rng, bias: bool = True, init=normal) -> None:
        self.weight = Tensor(init(rng, (n_in, n_out), n_in), requires_grad=True)
        self.bias = Tensor(backend.xp.zeros(n_out, "float32"), requires_grad=True) if bias else None
        self.spectral = None  # a SpectralNorm; see spectral.py

    def forward(self, x: Tensor, slope: float = 1.0) -> Tensor:
        n_in, n_out = self.weight.shape
        if x.ndim != 2 or x.shape[1] != n_in:
            raise ValueError(f"Linear({n_in} -> {n_out}) wants (N, {n_in}); got {x.shape}. Put Flatten() before it")
        y = x @ (self.spectral(self.weight) if self.spectral else self.weight)
        return with_bias(y, self.bias, slope)


class Flatten(Module):
    """(N, ...) -> (N, product of the other sizes), as Linear wants it."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), -1)


class Reshape(Module):
    """(N, ...) -> (N, *shape): turns the outputs of a Linear into images."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), *self.shape)

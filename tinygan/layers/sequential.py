"""Layers in a row."""

from collections.abc import Iterable

from ..autograd import Tensor
from .activation import LeakyReLU
from .conv import Conv2d, ConvTranspose2d
from .linear import Linear
from .module import Module
from .norm import BatchNorm

JOINED = Linear, Conv2d, ConvTranspose2d, BatchNorm  # forward(x, slope) of these layers includes a leaky ReLU


class Sequential(Module):
    """Modules applied one after the other, named "0", "1", ..."""

    def __init__(self, *layers: Module) -> None:
        self.layers = layers
        for i, layer in enumerate(layers):
            setattr(self, str(i), layer)

    def forward(self, x: Tensor) -> Tensor:
        return apply(self.layers, x)


def apply(layers: Iterable[Module], x: Tensor) -> Tensor:
    """Apply the layers one after the other to x.

    A layer and the ReLU or leaky ReLU after it are computed together, with the same result. This saves a pass over
    memory.
    """
    remaining = list(layers)
    while remaining:
        layer, after = remaining.pop(0), next(iter(remaining), None)
        if isinstance(layer, JOINED) and isinstance(after, LeakyReLU):
            x = layer(x, slope=after.slope)
            remaining.pop(0)
        else:
            x = layer(x)
    return x

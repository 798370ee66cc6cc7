"""Layers in a row."""

from ..autograd import Tensor
from .activation import LeakyReLU
from .conv import Conv2d, ConvTranspose2d
from .linear import Linear
from .module import Module
from .norm import BatchNorm


class Sequential(Module):
    """Modules applied one after the other, named "0", "1", ...

    A layer and the ReLU or leaky ReLU after it are computed together, which saves a pass over memory. The result is the
    same as that of one after the other.
    """

    JOINS = Linear, Conv2d, ConvTranspose2d, BatchNorm  # forward(x, slope) of these layers includes the activation

    def __init__(self, *layers: Module) -> None:
        self.layers = layers
        for i, layer in enumerate(layers):
            setattr(self, str(i), layer)

    def forward(self, x: Tensor) -> Tensor:
        layers = list(self.layers)
        while layers:
            layer, after = layers.pop(0), next(iter(layers), None)
            if isinstance(layer, self.JOINS) and isinstance(after, LeakyReLU):
                x = layer(x, slope=after.slope)
                layers.pop(0)
            else:
                x = layer(x)
        return x

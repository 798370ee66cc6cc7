"""Layers and networks. Images are channels last: (N, H, W, C)."""

from .activation import Dropout, LeakyReLU, ReLU, Sigmoid, Tanh
from .conv import Conv2d, ConvTranspose2d
from .linear import Flatten, Linear, Reshape
from .module import Module, Sequential
from .norm import BatchNorm, update_bn_statistics
from .spectral import SpectralNorm, power_iteration, spectral_norm

__all__ = [
    "BatchNorm",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Flatten",
    "LeakyReLU",
    "Linear",
    "Module",
    "ReLU",
    "Reshape",
    "Sequential",
    "Sigmoid",
    "SpectralNorm",
    "Tanh",
    "power_iteration",
    "spectral_norm",
    "update_bn_statistics",
]  # fmt: skip

"""Layers and networks. Images are channels last: (N, H, W, C)."""

from .activation import Dropout, LeakyReLU, ReLU, Tanh
from .conv import Conv2d, ConvTranspose2d
from .linear import Flatten, Linear, Reshape
from .module import Module
from .norm import BatchNorm
from .sequential import Sequential, apply
from .spectral import SpectralNorm, power_iteration, spectral_norm

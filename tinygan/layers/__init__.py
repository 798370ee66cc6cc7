"""Layers and networks. Images are channels last: (N, H, W, C)."""

from .activation import Dropout, LeakyReLU, ReLU, Tanh, add_bias
from .conv import Conv2d, ConvTranspose2d
from .linear import Flatten, Linear, Reshape
from .module import Module, Sequential, apply
from .norm import BatchNorm
from .spectral import SpectralNorm, power_iteration, spectral_norm

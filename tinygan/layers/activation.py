"""Activations and dropout as layers; the formulas are in autograd/activations.py."""

from .. import autograd
from .module import Module


class ReLU(Module):
    """max(x, 0)"""

    def forward(self, x):
        return autograd.relu(x)


class LeakyReLU(Module):
    """max(x, slope x): a gradient on the negative side too, so that D keeps telling G something."""

    def __init__(self, slope=0.2):
        self.slope = slope

    def forward(self, x):
        return autograd.leaky_relu(x, slope=self.slope)


class Tanh(Module):
    """tanh x, in (-1, 1): the range that images are scaled to."""

    def forward(self, x):
        return autograd.tanh(x)


class Sigmoid(Module):
    """1 / (1 + e^-x), in (0, 1). Losses here take logits, so no discriminator ends with it."""

    def forward(self, x):
        return autograd.sigmoid(x)


class Dropout(Module):
    """In training each element is zero with probability p, and the rest 1 / (1 - p) times as large; else nothing."""

    def __init__(self, p, rng):
        if not 0 <= p < 1:
            raise ValueError(f"dropout takes a probability of at least 0 and less than 1; got {p}")
        self.p, self.rng = p, rng

    def forward(self, x):
        return autograd.dropout(x, self.p, self.rng) if self.training and self.p else x

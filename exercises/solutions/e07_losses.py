"""Answer 7: saturating -0.0003, -0.5, -0.9997, non-saturating the reverse. At -8 only the latter helps G."""

import numpy as np

from .e02_graph import operation
from .e03_broadcasting import mean


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def softplus_vjp(g, y, x):
    return (g * np.exp(x - y),)


soft = operation(softplus, softplus_vjp)


def discriminator_loss(real, fake):
    return mean(soft(-real)) + mean(soft(fake))


def generator_loss(fake):
    return mean(soft(-fake))


def saturating_loss(fake):
    return -mean(soft(fake))

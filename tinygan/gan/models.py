"""The networks. shape: (H, W, C) of an image, or (2,) of a point; a latent point has latent_size numbers.

D gives one number for each input, a logit or a score. A leaky ReLU in D gives G a gradient on either side of zero.
"""

import math

from ..autograd import broadcast_to, concatenate
from ..layers import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    LeakyReLU,
    Linear,
    Module,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
)
from ..layers.initial import he_normal


def mlp_generator(shape, latent_size, rng):
    """latent - 1024 - 1024 - pixels, fully connected."""
    return Sequential(
        Linear(latent_size, 1024, rng), ReLU(),
        Linear(1024, 1024, rng), ReLU(),
        Linear(1024, math.prod(shape), rng), Tanh(), Reshape(*shape),
    )  # fmt: skip


def mlp_discriminator(shape, rng, dropout=0.0):
    """pixels - 256 - 256 - 1, fully connected."""
    return Sequential(
        Flatten(), Linear(math.prod(shape), 256, rng), *leaky(dropout, rng),
        Linear(256, 256, rng), *leaky(dropout, rng),
        Linear(256, 1, rng),
    )  # fmt: skip


def dcgan_generator(shape, latent_size, rng, width=64):
    """A small image of many channels, twice doubled in size (Radford et al. 2016).

    No bias where BatchNorm follows: it would be subtracted with the mean.
    """
    h, w = quarter(shape)
    return Sequential(
        Linear(latent_size, h * w * 2 * width, rng, bias=False), Reshape(h, w, 2 * width),
        BatchNorm(2 * width), ReLU(),
        ConvTranspose2d(2 * width, width, 4, rng, stride=2, padding=1, bias=False), BatchNorm(width), ReLU(),
        ConvTranspose2d(width, shape[2], 4, rng, stride=2, padding=1), Tanh(),
    )  # fmt: skip


def dcgan_discriminator(shape, rng, dropout=0.0, width=64, norm=True):
    """Strided convolutions: twice halved in size, then one opinion (Radford et al. 2016). norm: with BatchNorm."""
    h, w = quarter(shape)
    return Sequential(
        Conv2d(shape[2], width, 4, rng, stride=2, padding=1), *leaky(dropout, rng),
        Conv2d(width, 2 * width, 4, rng, stride=2, padding=1, bias=not norm),
        *([BatchNorm(2 * width)] if norm else []), *leaky(dropout, rng),
        Flatten(), Linear(h * w * 2 * width, 1, rng),
    )  # fmt: skip


def sngan_discriminator(shape, rng, dropout=0.0, width=32):
    """Deeper: before each halving a convolution that keeps the size (Miyato et al. 2018, table 3, at this size)."""
    h, w = quarter(shape)
    return Sequential(
        Conv2d(shape[2], width, 3, rng, padding=1, init=he_normal), *leaky(dropout, rng),
        Conv2d(width, 2 * width, 4, rng, stride=2, padding=1, init=he_normal), *leaky(dropout, rng),
        Conv2d(2 * width, 2 * width, 3, rng, padding=1, init=he_normal), *leaky(dropout, rng),
        Conv2d(2 * width, 4 * width, 4, rng, stride=2, padding=1, init=he_normal), *leaky(dropout, rng),
        Flatten(), Linear(h * w * 4 * width, 1, rng, init=he_normal),
    )  # fmt: skip


def r3gan_generator(shape, latent_size, rng, width=64):
    """dcgan's shape without normalisation: weights that keep the size of signals do instead (Huang et al. 2024)."""
    h, w = quarter(shape)
    return Sequential(
        Linear(latent_size, h * w * 2 * width, rng, init=he_normal), Reshape(h, w, 2 * width), LeakyReLU(0.2),
        ConvTranspose2d(2 * width, width, 4, rng, stride=2, padding=1, init=he_normal), LeakyReLU(0.2),
        ConvTranspose2d(width, shape[2], 4, rng, stride=2, padding=1), Tanh(),  # small weights: tanh starts unsaturated
    )  # fmt: skip


def r3gan_discriminator(shape, rng, dropout=0.0, width=64):
    """dcgan's shape without normalisation, which a penalty on D's slope does not allow (Huang et al. 2024)."""
    h, w = quarter(shape)
    return Sequential(
        Conv2d(shape[2], width, 4, rng, stride=2, padding=1, init=he_normal), *leaky(dropout, rng),
        Conv2d(width, 2 * width, 4, rng, stride=2, padding=1, init=he_normal), *leaky(dropout, rng),
        Flatten(), Linear(h * w * 2 * width, 1, rng, init=he_normal),
    )  # fmt: skip


def point_generator(shape, latent_size, rng, width=128):
    """latent - 128 - 128 - 128 - a point in the plane: for the toy worlds."""
    return Sequential(
        Linear(latent_size, width, rng, init=he_normal), ReLU(),
        Linear(width, width, rng, init=he_normal), ReLU(),
        Linear(width, width, rng, init=he_normal), ReLU(),
        Linear(width, shape[0], rng, init=he_normal),
    )  # fmt: skip


def point_discriminator(shape, rng, dropout=0.0, width=128):
    """A point in the plane - 128 - 128 - 128 - 1."""
    return Sequential(
        Linear(shape[0], width, rng, init=he_normal), *leaky(dropout, rng),
        Linear(width, width, rng, init=he_normal), *leaky(dropout, rng),
        Linear(width, width, rng, init=he_normal), *leaky(dropout, rng),
        Linear(width, 1, rng, init=he_normal),
    )  # fmt: skip


class Conditional(Module):
    """A network that is told the class: its one-hot label goes in beside the input (Mirza & Osindero 2014).

    To a latent point it adds `classes` numbers; to an image as many channels, each constant. A Conv2d that comes first
    takes these apart from the image, for that is less work.
    """

    def __init__(self, network):
        self.network = network

    def forward(self, x, labels):
        if isinstance(self.network.layers[0], Conv2d):
            return self.network(x, labels)
        n, *size, _ = x.shape
        spread = labels.reshape(n, *[1] * len(size), labels.shape[1])
        return self.network(concatenate(x, broadcast_to(spread, shape=(n, *size, labels.shape[1])), axis=-1))


def leaky(dropout, rng):
    """D's activation, with dropout behind it if there is any."""
    return [LeakyReLU(0.2), Dropout(dropout, rng)] if dropout else [LeakyReLU(0.2)]


def quarter(shape):
    """The size of the smallest image inside a convolutional network, which halves or doubles twice."""
    h, w, _ = shape
    if h % 4 or w % 4:
        raise ValueError(
            f"convolutional networks halve the image twice, so its sides must be multiples of 4; got {h} x {w}. "
            "The preset vanilla takes any size"
        )
    return h // 4, w // 4

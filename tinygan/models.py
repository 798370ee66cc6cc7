"""The networks. image_shape: (H, W, C); a latent point has latent_size numbers; D gives one logit an image."""

import math

from .layers import (
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Flatten,
    LeakyReLU,
    Linear,
    ReLU,
    Reshape,
    Sequential,
    Tanh,
)


def mlp_generator(image_shape, latent_size, rng):
    """latent - 1024 - 1024 - pixels, fully connected."""
    return Sequential(
        Linear(latent_size, 1024, rng), ReLU(),
        Linear(1024, 1024, rng), ReLU(),
        Linear(1024, math.prod(image_shape), rng), Tanh(), Reshape(*image_shape),
    )  # fmt: skip


def mlp_discriminator(image_shape, rng, dropout=0.0):
    """pixels - 256 - 256 - 1, fully connected."""
    return Sequential(
        Flatten(), Linear(math.prod(image_shape), 256, rng), *leaky(dropout, rng),
        Linear(256, 256, rng), *leaky(dropout, rng),
        Linear(256, 1, rng),
    )  # fmt: skip


def dcgan_generator(image_shape, latent_size, rng, width=64):
    """A small image of many channels, twice doubled in size (Radford et al. 2016).

    No bias where BatchNorm follows: it would be subtracted with the mean.
    """
    h, w = quarter(image_shape)
    return Sequential(
        Linear(latent_size, h * w * 2 * width, rng, bias=False), Reshape(h, w, 2 * width),
        BatchNorm(2 * width), ReLU(),
        ConvTranspose2d(2 * width, width, 4, rng, stride=2, padding=1, bias=False), BatchNorm(width), ReLU(),
        ConvTranspose2d(width, image_shape[2], 4, rng, stride=2, padding=1), Tanh(),
    )  # fmt: skip


def dcgan_discriminator(image_shape, rng, dropout=0.0, width=64):
    """Strided convolutions: twice halved in size, then one opinion (Radford et al. 2016)."""
    h, w = quarter(image_shape)
    return Sequential(
        Conv2d(image_shape[2], width, 4, rng, stride=2, padding=1), *leaky(dropout, rng),
        Conv2d(width, 2 * width, 4, rng, stride=2, padding=1, bias=False), BatchNorm(2 * width),
        *leaky(dropout, rng),
        Flatten(), Linear(h * w * 2 * width, 1, rng),
    )  # fmt: skip


def leaky(dropout, rng):
    """D's activation, with dropout behind it if there is any."""
    return [LeakyReLU(0.2), Dropout(dropout, rng)] if dropout else [LeakyReLU(0.2)]


def quarter(image_shape):
    """The size of the smallest image inside a convolutional network, which halves or doubles twice."""
    h, w, _ = image_shape
    if h % 4 or w % 4:
        raise ValueError(
            f"convolutional networks halve the image twice, so its sides must be multiples of 4; got {h} x {w}. "
            "The preset vanilla takes any size"
        )
    return h // 4, w // 4

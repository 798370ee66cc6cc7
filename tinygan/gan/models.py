"""The networks. shape: (H, W, C) of an image, or (2,) of a point in the plane.

G maps latent_size numbers to an image with values in (-1, 1), or to a point. D maps an image or a point to one logit.
Layers before BatchNorm have no bias, because BatchNorm subtracts the mean, and with it any bias.
"""

import itertools  # noqa: I001
import math

from ..layers import (
    BatchNorm, Conv2d, ConvTranspose2d, Dropout, Flatten, LeakyReLU, Linear, Module, ReLU, Reshape, Sequential, Tanh,
)  # fmt: skip
from ..layers.initial import he_normal, normal

Shape = tuple[int, ...]


def mlp_generator(shape: Shape, latent_size: int, rng) -> Sequential:
    """Build a fully connected G: latent - 256 - 256 - pixels"""
    layers = mlp((latent_size, 256, 256, math.prod(shape)), rng, [ReLU()])
    return Sequential(*layers, Tanh(), Reshape(*shape))


def mlp_discriminator(shape: Shape, rng, dropout: float = 0.0) -> Sequential:
    """Build a fully connected D: pixels - 256 - 256 - 1. With larger initial weights, D of lsgan would win at once."""
    layers = mlp((math.prod(shape), 256, 256, 1), rng, D_activation(dropout, rng), normal)
    return Sequential(Flatten(), *layers)


def point_generator(shape: Shape, latent_size: int, rng) -> Sequential:
    """Build a fully connected G for toy data: latent - 128 - 128 - 128 - 2"""
    return Sequential(*mlp((latent_size, 128, 128, 128, *shape), rng, [ReLU()]))


def point_discriminator(shape: Shape, rng, dropout: float = 0.0) -> Sequential:
    """Build a fully connected D for toy data: 2 - 128 - 128 - 128 - 1"""
    return Sequential(*mlp((*shape, 128, 128, 128, 1), rng, D_activation(dropout, rng)))


def dcgan_generator(shape: Shape, latent_size: int, rng, width=64, norm=True, init=normal, depth=0) -> Sequential:
    """Build a G that makes a small image of many channels and doubles its size several times (Radford et al. 2016).

    norm: whether G has BatchNorm. Without it, initial weights should preserve variance (he_normal; Huang et al. 2024).
    depth: the number of additional convolutions at the smallest size.
    """
    h, w, channels = sizes(shape, width)
    layers = [Linear(latent_size, h * w * channels[-1], rng, bias=not norm, init=init), Reshape(h, w, channels[-1])]
    for n_in, n_out in [*[(channels[-1], channels[-1])] * depth, *itertools.pairwise(channels[::-1])]:
        kernel, stride = (4, 2) if n_in > n_out else (3, 1)
        up = ConvTranspose2d(n_in, n_out, kernel, rng, stride=stride, padding=1, bias=not norm, init=init)
        layers += [*G_activation(n_in, norm), up]
    last = ConvTranspose2d(width, shape[2], 4, rng, stride=2, padding=1)  # small weights, so tanh begins nearly linear
    return Sequential(*layers, *G_activation(width, norm), last, Tanh())


def dcgan_discriminator(shape: Shape, rng, dropout=0.0, width=64, norm=True, init=normal, depth=0) -> Sequential:
    """Build a D that halves the size by strided convolutions, and ends with a linear layer (Radford et al. 2016).

    norm: whether D has BatchNorm. A penalty needs norm=False. depth: the number of convolutions at the smallest size.
    """
    h, w, channels = sizes(shape, width)
    last, options = channels[-1], dict(padding=1, bias=not norm, init=init)
    layers = [Conv2d(shape[2], width, 4, rng, stride=2, padding=1, init=init), *D_activation(dropout, rng)]
    convolutions = [Conv2d(n_in, n_out, 4, rng, stride=2, **options) for n_in, n_out in itertools.pairwise(channels)]
    convolutions += [Conv2d(last, last, 3, rng, **options) for _ in range(depth)]
    for conv in convolutions:
        layers += [conv, *([BatchNorm(conv.n_out)] if norm else []), *D_activation(dropout, rng)]
    return Sequential(*layers, Flatten(), Linear(h * w * last, 1, rng, init=init))


def sngan_discriminator(shape: Shape, rng, dropout: float = 0.0, width: int = 32) -> Sequential:
    """Build a D in which convolutions of stride 1 and stride 2 alternate (Miyato et al. 2018, table 3, but smaller)."""
    h, w, channels = sizes(shape, width)
    layers = []
    for n_in, c in zip([shape[2], *(2 * c for c in channels)], channels):
        layers += [Conv2d(n_in, c, 3, rng, padding=1, init=he_normal), *D_activation(dropout, rng)]
        layers += [Conv2d(c, 2 * c, 4, rng, stride=2, padding=1, init=he_normal), *D_activation(dropout, rng)]
    return Sequential(*layers, Flatten(), Linear(h * w * 2 * channels[-1], 1, rng, init=he_normal))


def mlp(features: tuple[int, ...], rng, activation: list[Module], init=he_normal) -> list[Module]:
    """Return linear layers of these sizes, with the layers of `activation` between them."""
    first, *others = [Linear(n_in, n_out, rng, init=init) for n_in, n_out in itertools.pairwise(features)]
    return [first, *(layer for linear in others for layer in (*activation, linear))]


def D_activation(dropout: float, rng) -> list[Module]:
    """Return the activation of D: LeakyReLU, and Dropout unless its probability is 0."""
    return [LeakyReLU(0.2), Dropout(dropout, rng)] if dropout else [LeakyReLU(0.2)]


def G_activation(channels: int, norm: bool) -> list[Module]:
    """Return the activation of G: BatchNorm and ReLU if `norm`, else LeakyReLU."""
    return [BatchNorm(channels), ReLU()] if norm else [LeakyReLU(0.2)]


def sizes(shape: Shape, width: int) -> tuple[int, int, list[int]]:
    """Return (h, w, channels): the smallest size of an image in D, and the channels after each halving.

    Images up to 32 pixels are halved twice, up to 64 three times, and so on. channels: width, 2 width, 4 width, ...
    """
    halvings = 2 + max(0, math.ceil(math.log2(max(shape[:2]) / 32)))
    h, w, step = shape[0], shape[1], 2**halvings
    if h % step or w % step:
        raise ValueError(f"image sides must be multiples of {step}; got {h} x {w}. For other sizes, use vanilla")
    return h // step, w // step, [width << i for i in range(halvings)]

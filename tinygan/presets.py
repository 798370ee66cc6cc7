"""The GANs worth knowing, one record each, and how to build one."""

from collections.abc import Callable
from typing import NamedTuple

from . import backend, losses, models
from .gan import GAN
from .optim import Adam


class Preset(NamedTuple):
    """What defines a GAN. epochs: its budget, in passes over the data set."""

    generator: Callable
    discriminator: Callable
    loss: losses.Loss
    latent_size: int
    epochs: int
    lr: float = 2e-4
    betas: tuple = (0.5, 0.999)
    batch_size: int = 128
    dropout: float = 0.0


PRESETS = {
    "vanilla": Preset(models.mlp_generator, models.mlp_discriminator, losses.bce, latent_size=96, epochs=20),
    "dcgan": Preset(models.dcgan_generator, models.dcgan_discriminator, losses.bce, latent_size=100, epochs=3),
}


def build(preset, image_shape, seed):
    """A GAN for images of shape (H, W, C), its weights drawn from the seed."""
    rng = backend.Generator(seed)
    generator = preset.generator(image_shape, preset.latent_size, rng)
    discriminator = preset.discriminator(image_shape, rng, preset.dropout)
    optimizers = [Adam(network, preset.lr, preset.betas) for network in (generator, discriminator)]
    return GAN(generator, discriminator, preset.loss, preset.latent_size, optimizers, rng)

"""The GANs worth knowing, one record each, and how to build one."""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from .. import backend
from ..layers import BatchNorm, spectral_norm
from ..optim import Adam
from . import losses, models
from .ema import EMA
from .gan import GAN
from .losses import LOSSES
from .penalties import PENALTIES
from .training import Training


class Preset(NamedTuple):
    """What defines a GAN. steps: its budget. Most fields can be set by options of train.py."""

    generator: Callable
    discriminator: Callable
    loss: str = "bce"
    penalty: str = "none"  # a name of PENALTIES
    penalty_weight: float = 0.0
    saturating: bool = False  # G minimises log(1 - D(G(z))) and does not maximise log D(G(z))
    label_smoothing: float = 1.0  # what D is to say of real images
    dropout: float = 0.0  # behind each activation of D
    spectral_norm: bool = False  # on every layer of D
    n_critic: int = 1  # steps of D for each of G
    conditional: bool = False
    latent_size: int = 100
    lr: float = 2e-4
    betas: tuple = (0.5, 0.999)
    cosine: bool = False  # lr falls to a quarter, the penalty's weight to a tenth, beta2 rises to 0.99 (r3gan)
    ema: float = 0.0  # half-life of the average of G's weights, in images; 0: none
    batch_size: int = 128
    steps: int = 4680


MLP = models.mlp_generator, models.mlp_discriminator
DCGAN = partial(models.dcgan_generator, width=32), partial(models.dcgan_discriminator, width=32)
FAST = {"lr": 8e-4, "batch_size": 32, "latent_size": 32, "ema": 2e4, "steps": 9375}  # small steps: 5 epochs of MNIST

PRESETS = {
    "vanilla": Preset(*MLP, latent_size=96),
    "lsgan": Preset(*MLP, "lsgan", latent_size=96),
    "dcgan": Preset(*DCGAN, **FAST),
    "sngan": Preset(
        DCGAN[0], partial(models.sngan_discriminator, width=16), "hinge", spectral_norm=True,
        **{**FAST, "steps": 5625},
    ),
    "cgan": Preset(*DCGAN, conditional=True, label_smoothing=0.9, **FAST),
    "wgan-gp": Preset(
        DCGAN[0], partial(models.dcgan_discriminator, width=32, norm=False), "wasserstein", "gp", 10.0,
        n_critic=5, lr=2e-4, betas=(0.5, 0.9), batch_size=64, ema=2e4, steps=1122,
    ),
    "r3gan": Preset(
        partial(models.r3gan_generator, width=32), partial(models.r3gan_discriminator, width=32), "relativistic",
        "r1r2", 1.0, betas=(0.0, 0.9), cosine=True, lr=1e-3, batch_size=64, ema=2e4, steps=2811,
    ),
}  # fmt: skip


def for_data(preset, shape):
    """The preset as it is for this kind of data: on points, small networks, larger steps, and a penalty on D's slope
    that lets it rise within the width of a mode."""
    if len(shape) > 1:
        return preset
    weight = usual_weight(preset.penalty, shape)
    betas = preset.betas[0], 0.99
    return preset._replace(
        latent_size=8, batch_size=256, steps=8000, lr=2e-3, betas=betas, ema=0.0, penalty_weight=weight
    )


def usual_weight(penalty, shape):
    """What a penalty ("none" included) is multiplied with on this kind of data, unless something else is asked for."""
    if penalty in ("r1", "r1r2") and len(shape) == 1:
        return 0.1
    return PENALTIES[penalty].weight if penalty in PENALTIES else 0.0


def build(preset, shape, seed, classes=0):
    """A Training of this preset for images of shape (H, W, C) or points (2,), its weights drawn from the seed.

    classes: how many the data has labels for; a conditional preset needs them. Raises ValueError, with the reason, for
    parts that make no sense together.
    """
    if preset.conditional and not classes:
        raise ValueError("this preset is told the classes of the images, and this data has no labels")
    classes = classes if preset.conditional else 0
    rng = backend.RNG(seed)
    G, D = generator(preset, shape, rng, classes), discriminator(preset, shape, rng, classes)
    check(preset, D)
    average = generator(preset, shape, backend.RNG(seed), classes) if preset.ema else None
    G_optimizer, D_optimizer = (Adam(network, preset.lr, preset.betas) for network in (G, D))
    ema = EMA(G, average, preset.ema, preset.batch_size) if preset.ema else None
    weight = backend.xp.full(1, preset.penalty_weight, "float32")
    penalty = PENALTIES.get(preset.penalty)
    gan = GAN(G, D, objective(preset), preset.latent_size, rng, penalty, weight, preset.n_critic, classes)
    return Training(gan, G_optimizer, D_optimizer, ema, schedules(preset, G_optimizer, D_optimizer, weight))


def generator(preset, shape, rng, classes):
    make = models.point_generator if len(shape) == 1 else preset.generator
    network = make(shape, preset.latent_size + classes, rng)
    return models.Conditional(network) if classes else network


def discriminator(preset, shape, rng, classes):
    make = models.point_discriminator if len(shape) == 1 else preset.discriminator
    network = make((*shape[:-1], shape[-1] + classes), rng, preset.dropout)
    if preset.spectral_norm:
        spectral_norm(network, rng)
    return models.Conditional(network) if classes else network


def objective(preset):
    """The Loss of a preset, with smoothing and G's saturating side if it asks for them."""
    loss = LOSSES[preset.loss]
    if preset.label_smoothing != 1.0:
        loss = loss._replace(discriminator=partial(loss.discriminator, real_label=preset.label_smoothing))
    return loss._replace(generator=losses.bce_generator_saturating) if preset.saturating else loss


def check(preset, D):
    """Raises ValueError, with the reason, for parts that make no sense together."""
    norm = any(isinstance(layer, BatchNorm) for layer in D.modules())
    if preset.penalty != "none" and norm:
        raise ValueError(
            f"penalty {preset.penalty} bounds D's slope at each image, and with BatchNorm D's output for one image "
            "depends on the others: take a preset without BatchNorm in D (vanilla, lsgan, sngan, wgan-gp, r3gan)"
        )
    if preset.spectral_norm and norm:
        raise ValueError(
            "spectral norm bounds D's slope, and BatchNorm would scale it up again: "
            "take a preset without BatchNorm in D (vanilla, lsgan, sngan, wgan-gp, r3gan)"
        )
    if preset.label_smoothing != 1.0 and not LOSSES[preset.loss].supports_label_smoothing:
        raise ValueError(f"label smoothing lowers the target of real images, and loss {preset.loss} has no target")
    if preset.saturating and preset.loss != "bce":
        raise ValueError(f"the saturating form is one of cross-entropy (bce), not of loss {preset.loss}")


def schedules(preset, G_optimizer, D_optimizer, weight):
    """[(array, its values by step)]: Huang et al. 2024, appendix: all fall, or rise, on a cosine over the budget."""
    if not preset.cosine:
        return ()

    def cosine(start, end):
        falls = (0.5 * (1 + math.cos(math.pi * step / preset.steps)) for step in range(preset.steps))
        return backend.xp.asarray([end + (start - end) * fall for fall in falls], dtype="float32")

    lr, forget = cosine(preset.lr, preset.lr / 4), cosine(1 - preset.betas[1], 1 - 0.99)
    penalty = cosine(preset.penalty_weight, preset.penalty_weight / 10)
    optimizers = (G_optimizer, D_optimizer)
    return ((weight, penalty), *((o.lr, lr) for o in optimizers), *((o.one_minus_beta2, forget) for o in optimizers))

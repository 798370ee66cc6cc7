"""The presets: one record of settings for each GAN, and the functions that build the GAN from it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from .. import backend
from ..backend import Array, distributed
from ..layers import BatchNorm, Module, Sequential, spectral_norm
from ..layers.initial import he_normal
from ..optim import Adam
from . import conditional, losses, models
from .augment import Augmented
from .ema import EMA
from .gan import GAN
from .losses import LOSSES, Loss
from .matching import MatchingAware
from .penalties import PENALTIES
from .training import Training, cosine, line

WITHOUT_NORM = "Choose a preset without BatchNorm in D (vanilla, lsgan, sngan, wgan-gp, r3gan)"


class Preset(NamedTuple):
    """The networks, the losses and the training settings of a GAN. Options of train.py change most fields."""

    generator: Callable[..., Sequential]
    discriminator: Callable[..., Sequential]
    loss: str = "bce"  # a name in LOSSES
    penalty: str = "none"  # a name in PENALTIES, or "none"
    penalty_weight: float = 0.0
    saturating: bool = False  # G minimises E[log(1 - D(G(z)))] instead of maximising E[log D(G(z))]
    real_label: float = 1.0  # D's target for real images; 0.9 is one-sided label smoothing
    dropout: float = 0.0  # dropout probability after each activation of D
    spectral_norm: bool = False  # spectral normalisation in every layer of D
    augment: float = 0.0  # the probability of each random change to an image before D (augment.py)
    n_critic: int = 1  # updates of D for each update of G
    conditional: bool = False  # both networks get the class of the image
    wrong_labels: float = 0.0  # the weight in D's loss of the term for real images with a wrong label (matching.py)
    latent_size: int = 100
    lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    decay: bool = False  # lr decreases linearly to 0 over the training
    cosine: bool = False  # on cosine curves, lr falls to 1/4, the penalty weight to 1/10, and beta2 goes to 0.99
    ema: float = 0.0  # half-life of the average of G's weights, in images; 0: no average
    batch_size: int = 128
    steps: int = 4680  # the number of training steps


MLP = models.mlp_generator, models.mlp_discriminator
DCGAN = partial(models.dcgan_generator, width=32), partial(models.dcgan_discriminator, width=32)
CGAN = partial(models.dcgan_generator, width=32, depth=1), partial(models.dcgan_discriminator, width=32, depth=2)
WGAN = DCGAN[0], partial(models.dcgan_discriminator, width=32, norm=False)
R3GAN = (
    partial(models.dcgan_generator, width=32, norm=False, init=he_normal),
    partial(models.dcgan_discriminator, width=32, norm=False, init=he_normal),
)
# for convolutional networks; 9375 steps of 32 images are 5 epochs of MNIST
SMALL_BATCHES: dict[str, Any] = {"latent_size": 32, "ema": 2e4, "batch_size": 32, "steps": 9375, "lr": 8e-4}
# for fully connected networks; 9370 steps of 64 images are 10 epochs of MNIST
MLP_TRAINING: dict[str, Any] = {"latent_size": 64, "ema": 2e4, "batch_size": 64, "steps": 9370}

PRESETS = {
    "vanilla": Preset(*MLP, **MLP_TRAINING),
    "lsgan": Preset(*MLP, "lsgan", **MLP_TRAINING),
    "dcgan": Preset(*DCGAN, **SMALL_BATCHES),
    "sngan": Preset(
        DCGAN[0], partial(models.sngan_discriminator, width=16), "hinge", spectral_norm=True,
        **{**SMALL_BATCHES, "steps": 5625},
    ),
    "cgan": Preset(*CGAN, conditional=True, wrong_labels=0.15, decay=True, **{**SMALL_BATCHES, "steps": 18750}),
    "wgan-gp": Preset(
        *WGAN, "wasserstein", "gp", 10.0,
        n_critic=5, lr=2e-4, betas=(0.5, 0.9), batch_size=64, ema=2e4, steps=1122,
    ),
    "r3gan": Preset(
        *R3GAN, "relativistic", "r1r2", 1.0,
        betas=(0.0, 0.9), cosine=True, lr=1e-3, batch_size=64, ema=2e4, steps=2811,
    ),
}  # fmt: skip


def for_data(preset: Preset, shape: tuple[int, ...]) -> Preset:
    """Return the preset with the settings for this shape: unchanged for images (H, W, C), adapted for points (2,)."""
    if len(shape) > 1:
        return preset
    lr = 3e-3 if preset.cosine else 2e-3  # a cosine curve falls to a quarter of this
    return preset._replace(
        latent_size=8, batch_size=128, steps=8000, lr=lr, betas=(preset.betas[0], 0.99), ema=0.0,
        penalty_weight=default_penalty_weight(preset.penalty, shape),
    )  # fmt: skip


def default_penalty_weight(penalty: str, shape: tuple[int, ...]) -> float:
    """Return the default weight of a penalty. For points, r1 and r1r2 get 0.1, because the modes are narrow."""
    if penalty in ("r1", "r1r2") and len(shape) == 1:
        return 0.1
    return PENALTIES[penalty].weight if penalty in PENALTIES else 0.0


def build(
    preset: Preset, shape: tuple[int, ...], seed: int, classes: int = 0, class_sizes: tuple[int, ...] = ()
) -> Training:
    """Return the Training of a preset for images of shape (H, W, C) or points (2,).

    seed: of the initial weights and all random numbers of training. classes: the number of classes of the data, needed
    by a conditional preset. class_sizes: the number of images of each class; equal by default. Raises ValueError, with
    the reason, if the settings do not fit together.
    """
    if preset.conditional and not classes:
        raise ValueError(
            "this preset needs the classes of the images, and this data has no labels: "
            "choose groups (--groups K), or the preset dcgan"
        )
    classes = classes if preset.conditional else 0
    rng = distributed.batch_rng(backend.RNG(seed))
    G, D = build_generator(preset, shape, rng, classes), build_discriminator(preset, shape, rng, classes)
    check(preset, D)
    # With several processes, rng from here on returns the random numbers of the local batch only.
    rng.rows = distributed.local_batch_size(preset.batch_size)
    G_optimizer, D_optimizer = Adam(G, preset.lr, preset.betas), Adam(D, preset.lr, preset.betas)
    ema = None
    if preset.ema:
        average = build_generator(preset, shape, backend.RNG(seed), classes)
        ema = EMA(G, average, preset.ema, preset.batch_size)
    weight = backend.xp.full(1, preset.penalty_weight, "float32")
    penalty = PENALTIES.get(preset.penalty)
    game = partial(MatchingAware, preset.wrong_labels) if preset.wrong_labels else GAN
    gan = game(G, D, build_loss(preset), preset.latent_size, rng, penalty, weight, preset.n_critic, classes)
    schedules = build_schedules(preset, G_optimizer, D_optimizer, weight)
    curve = cosine if preset.cosine else line
    return Training(gan, G_optimizer, D_optimizer, ema, schedules, curve, preset.steps, class_sizes)


def build_generator(preset: Preset, shape: tuple[int, ...], rng, classes: int) -> Module:
    make = models.point_generator if len(shape) == 1 else preset.generator
    network = make(shape, preset.latent_size + classes, rng)
    return conditional.Conditional(network) if classes else network


def build_discriminator(preset: Preset, shape: tuple[int, ...], rng, classes: int) -> Module:
    make = models.point_discriminator if len(shape) == 1 else preset.discriminator
    network = make((*shape[:-1], shape[-1] + classes), rng, preset.dropout)
    if preset.spectral_norm:
        spectral_norm(network, rng)
    D: Module = conditional.Conditional(network) if classes else network
    return Augmented(D, preset.augment, rng) if preset.augment and len(shape) > 1 else D


def build_loss(preset: Preset) -> Loss:
    """Return the Loss of a preset, with the options real_label and saturating."""
    loss = LOSSES[preset.loss]
    if preset.real_label != 1.0:
        loss = loss._replace(discriminator=partial(loss.discriminator, real_label=preset.real_label))
    return loss._replace(generator=losses.bce_generator_saturating) if preset.saturating else loss


def check(preset: Preset, D: Module) -> None:
    """Raise ValueError, with the reason, for settings that do not fit together."""
    norm = any(isinstance(layer, BatchNorm) for layer in D.modules())
    if preset.penalty != "none" and norm:
        raise ValueError(
            f"penalty {preset.penalty} bounds the gradient of D at each image, but with BatchNorm the output of D for "
            f"one image depends on the others. {WITHOUT_NORM}"
        )
    if preset.spectral_norm and norm:
        raise ValueError(f"spectral norm bounds the gradient of D, but BatchNorm scales it up again. {WITHOUT_NORM}")
    if preset.real_label != 1.0 and not LOSSES[preset.loss].supports_label_smoothing:
        raise ValueError(f"real_label is D's target for real images, and loss {preset.loss} has no target")
    if preset.saturating and preset.loss != "bce":
        raise ValueError(f"the saturating form exists only for the loss bce, not for {preset.loss}")
    if preset.wrong_labels and not preset.conditional:
        raise ValueError("wrong_labels needs a preset with labels, such as cgan")
    if preset.wrong_labels and preset.loss != "bce":
        raise ValueError(f"wrong_labels exists only for the loss bce, not for {preset.loss}")
    if preset.decay and preset.cosine:
        raise ValueError("decay and cosine are two schedules of the learning rate: choose one")


def build_schedules(preset: Preset, G_optimizer: Adam, D_optimizer: Adam, weight: Array) -> list:
    """Return the schedules of a preset, (array, start, end) each. The cosine is from Huang et al. 2024, appendix."""
    optimizers, lr, forget = (G_optimizer, D_optimizer), preset.lr, 1.0 - preset.betas[1]
    if preset.decay:
        return [(optimizer.lr, lr, 0.0) for optimizer in optimizers]
    if not preset.cosine:
        return []
    return [
        (weight, preset.penalty_weight, preset.penalty_weight / 10),
        *((optimizer.lr, lr, lr / 4) for optimizer in optimizers),
        *((optimizer.one_minus_beta2, forget, 0.01) for optimizer in optimizers),  # beta2 goes to 0.99
    ]

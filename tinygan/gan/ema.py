"""The exponential moving average (EMA) of a network's weights."""

from __future__ import annotations

import math
from collections.abc import Iterable

from .. import backend
from ..autograd import no_grad
from ..backend import Array
from ..layers import BatchNorm, Module

LOG_HALF = -math.log(2)


class EMA:
    """average <- average + (1 - beta) (weights - average)        beta = 0.5^(images per step / half-life)

    In training G's weights move around a good point, and their average is closer to this point (Yazici et al. 2019).
    Samples are drawn with the averaged weights; training does not use them. half_life: the number of images after which
    the influence of old weights is halved. Early in training the half-life is shorter: a twentieth of the images so
    far. So the random initial weights soon have little influence (Karras et al. 2020).

    network: the network that is trained; Adam has moved its weights into one array. average: a network of the same
    architecture, for the averaged parameters. BatchNorm statistics are not averaged: call update_bn_statistics before
    `average` is used.
    """

    RAMP = 0.05  # the half-life early in training, as a fraction of the images so far

    def __init__(self, network: Module, average: Module, half_life: float, images_per_step: int) -> None:
        self.source, self.average = network.flat, average
        self.target = average.flatten().flat
        self.half_life, self.images_per_step = half_life, images_per_step
        self.images, self.one_minus_beta = backend.xp.zeros(1, "float32"), backend.xp.zeros(1, "float32")
        self.target.data[...] = self.source.data

    def update(self) -> None:
        """Move the average towards the weights of the network. Versions do not change: the average is in no graph."""
        _rate(self.images, self.images_per_step, self.half_life, self.RAMP, out=(self.images, self.one_minus_beta))
        _average(self.target.data, self.source.data, self.one_minus_beta, out=self.target.data)

    def state_dict(self) -> dict[str, Array]:
        return {"images": self.images, **self.target.views(self.target.data)}

    def load_state_dict(self, saved: dict) -> None:
        backend.load_arrays(self.state_dict(), saved, "EMA")


@backend.fuse
def _rate(images, images_per_step, half_life, ramp):
    images = images + images_per_step
    half_life = backend.xp.minimum(ramp * images, half_life)
    return images, -backend.xp.expm1(LOG_HALF * images_per_step / half_life)


@backend.fuse
def _average(average, weights, one_minus_beta):
    return average + one_minus_beta * (weights - average)


def update_bn_statistics(network: Module, batches: Iterable[tuple]) -> None:
    """Set the running statistics of all BatchNorm layers to their mean over `batches`, tuples of network inputs.

    Running statistics from training belong to the trained weights; averaged weights need their own. Afterwards a
    network with BatchNorm is in training mode.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.running_mean[...] = layer.running_var[...] = 0.0
    network.train()
    try:
        with no_grad():
            for k, inputs in enumerate(batches, 1):
                for layer in layers:
                    layer.momentum = 1.0 / k  # with this momentum, the running average is the mean of k batches
                network(*inputs)
    finally:
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum

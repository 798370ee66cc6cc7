"""Looking into a toy world: what D thinks everywhere, and where it pulls each point that G makes."""

import numpy as np

from .. import backend
from ..autograd import Tensor, grad, no_grad
from ..data import toy
from . import plots

EDGE, SIDE = 3, 80  # half the width of the picture; points along each side at which D is asked


def save_snapshot(path, gan, world, generated, title):
    """Write a picture of real and generated points, host arrays (N, 2), over D's surface, with G's pull as arrows."""
    real = toy.load(world).images[: len(generated)]
    arrows = generated[:: max(1, len(generated) // 150)]
    plots.save_world(path, real, generated, surface(gan), arrows, pull(gan, real, arrows), EDGE, title)


def surface(gan):
    """What D puts out at each point of a lattice over the picture: a host array (SIDE, SIDE), rows from below."""
    side = np.linspace(-EDGE, EDGE, SIDE, dtype=np.float32)
    points = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    with evaluating(gan), no_grad():
        return gan.D(Tensor(backend.to_device(points))).numpy().reshape(SIDE, SIDE)


def pull(gan, real, points):
    """-dL_G/dx at generated points (N, 2): where G, if it could move each point for itself, would move it."""
    x = Tensor(backend.to_device(points), requires_grad=True)
    with evaluating(gan):
        real_logits = gan.D(Tensor(backend.to_device(real[: len(points)])))
        (slope,) = grad(gan.loss.generator(real_logits, gan.D(x)), [x])
    return -slope.numpy()


class evaluating:
    """with evaluating(gan): D in eval mode."""

    def __init__(self, gan):
        self.D = gan.D

    def __enter__(self):
        self.D.eval()

    def __exit__(self, *error):
        self.D.train()

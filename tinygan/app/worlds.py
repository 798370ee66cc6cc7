"""Pictures of a GAN on toy data: D's output in the plane, and the gradient of G's loss at generated points."""

import numpy as np

from .. import backend
from ..autograd import Tensor, grad, no_grad
from ..data import toy
from . import plots

EDGE, SIDE = 3, 80  # the picture shows [-EDGE, EDGE]^2; D is computed at SIDE x SIDE points


def save_snapshot(path, gan, world, generated, title):
    """Write a picture of real points, of `generated` points (N, 2), of D's output, and of `pull` as arrows."""
    real = toy.load(world).images[: len(generated)]
    arrows = generated[:: max(1, len(generated) // 150)]
    plots.save_world(path, real, generated, surface(gan), arrows, pull(gan, real, arrows), EDGE, title)


def surface(gan):
    """Return D's output at SIDE x SIDE points as a NumPy array. The first row has the smallest y."""
    side = np.linspace(-EDGE, EDGE, SIDE, dtype=np.float32)
    points = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    with evaluating(gan), no_grad():
        return gan.D(Tensor(backend.to_device(points))).numpy().reshape(SIDE, SIDE)


def pull(gan, real, points):
    """Return -dL/dx at generated points x, (N, 2): the direction in which G's loss L decreases."""
    x = Tensor(backend.to_device(points), requires_grad=True)
    with evaluating(gan):
        real_logits = gan.D(Tensor(backend.to_device(real[: len(points)])))
        (gradient,) = grad(gan.loss.generator(real_logits, gan.D(x)), [x])
    return -gradient.numpy()


class evaluating:
    """with evaluating(gan): D is in evaluation mode."""

    def __init__(self, gan):
        self.D = gan.D

    def __enter__(self):
        self.D.eval()

    def __exit__(self, *error):
        self.D.train()

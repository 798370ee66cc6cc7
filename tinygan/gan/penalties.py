"""Penalties on the gradient of D with respect to its input image.

G follows this gradient, and a penalty keeps it bounded. The training step differentiates the penalty with respect to
D's weights. So the gradient is computed with create_graph=True. In this file D(x) is the logit. A penalty needs the
gradient of each logit. With BatchNorm a logit depends on all images, so D must not contain BatchNorm.
"""

from collections.abc import Callable
from typing import NamedTuple

from .. import backend
from ..autograd import Tensor, grad, sqrt


class Penalty(NamedTuple):
    """function: (D, real, fake, real_logits, fake_logits, rng, *labels) -> penalty; weight: its default weight."""

    function: Callable[..., Tensor]
    weight: float


def squared_gradient_norms(logits: Tensor, *images: Tensor) -> list[Tensor]:
    """Return |dD/dx|^2 for each image, summed over all axes of the image: (N,) for each of the batches `images`.

    Logit i depends only on image i. So one gradient, of the sum of all logits, gives dD/dx for every image.
    grad_output=ones makes grad differentiate this sum.
    """
    ones = backend.xp.ones(logits.shape, logits.dtype)
    gradients = grad(logits, images, create_graph=True, grad_output=ones)
    return [(g * g).reshape(len(g), -1).sum(1) for g in gradients]


def gradient_penalty(D, real, fake, real_logits, fake_logits, rng, *labels):
    """E[(|dD/dx| - 1)^2] at random points between real and fake images        (Gulrajani et al. 2017, eq. 3)

    A point is a random fraction t of the way from a fake to a real image. With 1e-12, the derivative of sqrt is finite.
    """
    t = rng.uniform((len(real), *[1] * (real.ndim - 1)), real.dtype)
    interpolates = Tensor(fake.data + t * (real.data - fake.data), requires_grad=True)
    (squared_norm,) = squared_gradient_norms(D(interpolates, *labels), interpolates)
    return ((sqrt(squared_norm + 1e-12) - 1.0) ** 2).mean()


def r1(D, real, fake, real_logits, fake_logits, rng, *labels):
    """1/2 E |dD/dx|^2 at real images        (Mescheder et al. 2018, eq. 9)"""
    return 0.5 * squared_gradient_norms(real_logits, real)[0].mean()


def r1r2(D, real, fake, real_logits, fake_logits, rng, *labels):
    """1/2 E |dD/dx|^2 at real images, plus the same at fake images        (Huang et al. 2024, section 2.2)

    The logits have been computed for the loss, so D is not called again. One gradient of their sum serves both: the
    real logits do not depend on the fake images, nor the fake logits on the real ones.
    """
    at_real, at_fake = squared_gradient_norms(real_logits + fake_logits, real, fake)
    return 0.5 * (at_real + at_fake).mean()


PENALTIES = {"gp": Penalty(gradient_penalty, 10.0), "r1": Penalty(r1, 1.0), "r1r2": Penalty(r1r2, 1.0)}

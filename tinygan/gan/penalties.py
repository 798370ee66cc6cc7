"""Penalties on the gradient of D at images: derivatives of a derivative.

G follows the gradient of D, and a penalty keeps it bounded. It takes the gradient of D with respect to the *image*,
with create_graph=True, so that this gradient can be differentiated with respect to D's weights. D(x) is the logit here.
A penalty needs the gradient of each image on its own. With BatchNorm in D that does not exist, because the output for
one image depends on the others.
"""

from collections.abc import Callable
from typing import NamedTuple

from .. import backend
from ..autograd import Tensor, grad, mean_square, sqrt, squared_norms


class Penalty(NamedTuple):
    """function: (D, real, fake, real_logits, fake_logits, rng, *labels) -> Tensor; weight: its default factor."""

    function: Callable[..., Tensor]
    weight: float


def squared_gradient_norms(logits: Tensor, *images: Tensor) -> list[Tensor]:
    """|dD/dx|^2 of each image, summed over ALL its axes: (N,) for each batch of images that the logits come from

    logit i depends on image i only, so the gradient of the sum of logits (dsum/dlogit = 1) is that of all images.
    create_graph=True makes them differentiable, because D's loss contains them and GAN.step differentiates it again.
    """
    gradients = grad(logits, images, create_graph=True, grad_output=backend.ones(logits.shape, logits.dtype))
    return [squared_norms(gradient) for gradient in gradients]


def gradient_penalty(D, real, fake, real_logits, fake_logits, rng, *labels):
    """E[(|dD/dx| - 1)^2] at random points between real and fake images        (Gulrajani et al. 2017, eq. 3)

    Each pair of images has one random t. eps keeps the derivative of the root finite where the gradient is 0.
    """
    t = rng.uniform((len(real), *[1] * (real.ndim - 1)), real.dtype)
    interpolates = Tensor(backend.interpolate(fake.data, real.data, t), requires_grad=True)
    (squared_norm,) = squared_gradient_norms(D(interpolates, *labels), interpolates)
    return mean_square(sqrt(squared_norm, eps=1e-12), target=1.0)


def r1(D, real, fake, real_logits, fake_logits, rng, *labels):
    """1/2 E |dD/dx|^2 at real images        (Mescheder et al. 2018, eq. 9): D should be flat at the data"""
    return 0.5 * squared_gradient_norms(real_logits, real)[0].mean()


def r1r2(D, real, fake, real_logits, fake_logits, rng, *labels):
    """1/2 E |dD/dx|^2 at real images, plus the same at fake images        (Huang et al. 2024, section 2.2)

    It reuses the logits that the loss has computed, so it needs no further pass through D.
    """
    at_real, at_fake = squared_gradient_norms(real_logits + fake_logits, real, fake)
    return 0.5 * (at_real + at_fake).mean()


PENALTIES = {"gp": Penalty(gradient_penalty, 10.0), "r1": Penalty(r1, 1.0), "r1r2": Penalty(r1r2, 1.0)}

"""Penalties on D's slope: derivatives of a derivative.

A critic that may be as steep as it likes gives G no useful direction. Each penalty takes the gradient of D by the
*image*, with create_graph=True, so that this gradient can in its turn be differentiated by D's weights.

They are per image, and with BatchNorm in D there is no such thing: its output for one image depends on the others.
"""

from collections.abc import Callable
from typing import NamedTuple

from ..autograd import Tensor, grad, sqrt


class Penalty(NamedTuple):
    """function: (D, real, fake, real_logits, fake_logits, rng, *labels) -> Tensor;
    weight: what it is multiplied with unless something else is asked for."""

    function: Callable
    weight: float


def squared_gradient_norm(logits, images):
    """|dD/dx|^2 of each image, over ALL its axes: (N,). In the sum each logit has its own image.

    Here a second derivative begins: create_graph=True keeps dD/dx differentiable by D's weights.
    """
    (slope,) = grad(logits.sum(), [images], create_graph=True)
    return (slope * slope).sum(tuple(range(1, slope.ndim)))


def gradient_penalty(D, real, fake, real_logits, fake_logits, rng, *labels):
    """E[(|dD/dx^| - 1)^2] at random points x^ between real and fake        (Gulrajani et al. 2017, eq. 3)

    One uniform weight for each pair. The epsilon inside the root keeps its derivative finite where the slope is 0.
    """
    t = rng.uniform((len(real), *[1] * (real.ndim - 1)), real.dtype)
    between = Tensor(fake.data + t * (real.data - fake.data), requires_grad=True)
    slope = sqrt(squared_gradient_norm(D(between, *labels), between) + 1e-12)
    return ((slope - 1.0) ** 2).mean()


def r1(D, real, fake, real_logits, fake_logits, rng, *labels):
    """1/2 E |dD/dx|^2 at real images        (Mescheder et al. 2018, eq. 9): where the data is, D should be flat"""
    return 0.5 * squared_gradient_norm(real_logits, real).mean()


def r1r2(D, real, fake, real_logits, fake_logits, rng, *labels):
    """1/2 E |dD/dx|^2 at real and, added, at fake images        (Huang et al. 2024, section 2.2)

    The logits of the loss serve: no further pass through D.
    """
    return 0.5 * (squared_gradient_norm(real_logits, real).mean() + squared_gradient_norm(fake_logits, fake).mean())


PENALTIES = {
    "gp": Penalty(gradient_penalty, 10.0),
    "r1": Penalty(r1, 1.0),
    "r1r2": Penalty(r1r2, 1.0),
}

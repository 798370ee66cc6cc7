"""What the two players want, as functions of D's logits.

A logit l is D's opinion before the sigmoid: D(x) = sigmoid(l) is the probability that x is real. Losses take logits
because log(sigmoid(l)) = -softplus(-l) is exact where log of a rounded probability is minus infinity. Each takes
(real_logits, fake_logits), (N, 1) each, and returns a number to be minimised.
"""

from collections.abc import Callable
from typing import NamedTuple

from .autograd import softplus


class Loss(NamedTuple):
    """The two sides of a game."""

    discriminator: Callable
    generator: Callable


def bce_discriminator(real_logits, fake_logits):
    """max_D  E[log D(x)] + E[log(1 - D(G(z)))]        (Goodfellow et al. 2014, eq. 1)

    = min  mean softplus(-real) + mean softplus(fake)
    """
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def bce_generator(real_logits, fake_logits):
    """max_G  E[log D(G(z))]  = min  mean softplus(-fake)        (Goodfellow et al. 2014, section 3)

    The non-saturating form. The game's own min_G E[log(1 - D(G(z)))] is flat where D is sure of a forgery, which is
    how every generator begins; this one is steep there, and has the same optimum.
    """
    return softplus(-fake_logits).mean()


bce = Loss(bce_discriminator, bce_generator)

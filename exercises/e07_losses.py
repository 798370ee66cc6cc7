"""Exercise 7: the losses, from logits.                                                        (the tour, stops 6, 7)

D returns a logit l, any real number. D(x) = sigmoid(l) = 1 / (1 + exp(-l)) is the probability that x is real. Then

    softplus(l) = log(1 + exp(l))        log D(x) = -softplus(-l)        log(1 - D(x)) = -softplus(l)

D maximises E log D(x) + E log(1 - D(G(z))), where E is the mean. G minimises E log(1 - D(G(z))), the saturating form,
or maximises E log D(G(z)), the non-saturating form. A loss is minimised, so mind the signs.

Question: print the derivative of both losses of G for a single fake logit of -8, 0 and 8. Where are they equal?
Which of them helps a G whose images D recognises with certainty?
"""

import numpy as np

from .e02_graph import operation
from .e03_broadcasting import mean


def softplus(x):
    """y = log(1 + exp(x)), an array. In float32, exp(100) is infinite, so compute max(x, 0) + log(1 + exp(-|x|))."""
    ...


def softplus_vjp(g, y, x):
    """Return (dL/dx,). It must be right for x = 100 and for x = -100 too, without warnings."""
    ...


soft = operation(softplus, softplus_vjp)  # for Tensors; -real is the negative of a Tensor, a + b the sum of two


def discriminator_loss(real, fake):
    """real, fake: the logits of real and of fake images, Tensors (N, 1) -> the loss of D, a Tensor of one number"""
    ...


def generator_loss(fake):
    """Return the non-saturating loss of G: what G maximises is the mean of log D(G(z))."""
    ...


def saturating_loss(fake):
    """Return the saturating loss of G: what G minimises is the mean of log(1 - D(G(z)))."""
    ...

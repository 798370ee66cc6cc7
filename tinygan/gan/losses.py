"""What the two players want, as functions of D's outputs, one pair for each idea of a game.

D's output is a logit l, its opinion before the sigmoid: D(x) = sigmoid(l) is the probability that x is real. Losses
take logits because log(sigmoid(l)) = -softplus(-l) is exact where log of a rounded probability is minus infinity. Each
takes (real_logits, fake_logits), (N, 1) each, and returns a number to be minimised. E is the mean over the batch.
"""

from collections.abc import Callable
from typing import NamedTuple

from ..autograd import maximum, sigmoid, softplus


class Loss(NamedTuple):
    """The two sides of a game, and how to read D's outputs in it.

    opinion: D's outputs as the number that is logged for D(x): a probability where there is one.
    threshold: the output that lies between "real" and "fake"; None where only differences mean anything, and an image
    is compared with the mean of the other kind. relativistic: G's side looks at the real logits too.
    supports_label_smoothing: D's side has a target for real images that label smoothing may lower.
    """

    discriminator: Callable
    generator: Callable
    opinion: Callable = lambda logits: logits
    threshold: float | None = 0.0
    relativistic: bool = False
    supports_label_smoothing: bool = False


def bce_discriminator(real_logits, fake_logits, real_label=1.0):
    """max_D  E[log D(x)] + E[log(1 - D(G(z)))]        (Goodfellow et al. 2014, eq. 1)

    = min  E softplus(-real) + E softplus(fake). With label smoothing real images are to get real_label = 0.9, so that
    D does not become sure of itself; fake ones stay at 0, for a raised target would reward G's mistakes: it is
    one-sided (Salimans et al. 2016, section 3.4). Then E[s softplus(-real) + (1 - s) softplus(real)], and the two
    softplus differ by their argument.
    """
    loss = softplus(-real_logits).mean() + softplus(fake_logits).mean()
    return loss if real_label == 1.0 else loss + (1.0 - real_label) * real_logits.mean()


def bce_generator(real_logits, fake_logits):
    """max_G  E[log D(G(z))]  = min  E softplus(-fake)        (Goodfellow et al. 2014, section 3)

    The non-saturating form. The game's own min_G E[log(1 - D(G(z)))] is flat where D is sure of a forgery, which is
    how every generator begins; this one is steep there, and has the same optimum.
    """
    return softplus(-fake_logits).mean()


def bce_generator_saturating(real_logits, fake_logits):
    """min_G  E[log(1 - D(G(z)))]  = min  -E softplus(fake)        the game as it is written (eq. 1), and its trouble"""
    return -softplus(fake_logits).mean()


def lsgan_discriminator(real_logits, fake_logits, real_label=1.0):
    """min_D  1/2 E[(D(x) - 1)^2] + 1/2 E[D(G(z))^2]        D's output is linear        (Mao et al. 2017, eq. 9)"""
    return 0.5 * ((real_logits - real_label) ** 2).mean() + 0.5 * (fake_logits**2).mean()


def lsgan_generator(real_logits, fake_logits):
    """min_G  1/2 E[(D(G(z)) - 1)^2]        a forgery far on the right side is pulled back too: the gradient stays"""
    return 0.5 * ((fake_logits - 1.0) ** 2).mean()


def hinge_discriminator(real_logits, fake_logits):
    """min_D  E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]        (Miyato et al. 2018, eq. 16)"""
    return maximum(1.0 - real_logits, 0.0).mean() + maximum(1.0 + fake_logits, 0.0).mean()


def hinge_generator(real_logits, fake_logits):
    """min_G  -E[D(G(z))]        (Miyato et al. 2018, eq. 17)"""
    return -fake_logits.mean()


def wasserstein_critic(real_logits, fake_logits):
    """min_D  E[D(G(z))] - E[D(x)]        for D of slope 1 this is minus the Wasserstein distance of the two
    distributions (Arjovsky et al. 2017); the penalty keeps the slope there (Gulrajani et al. 2017)"""
    return fake_logits.mean() - real_logits.mean()


def relativistic_discriminator(real_logits, fake_logits):
    """min_D  E softplus(-(D(x) - D(G(z))))        real should look more real than fake, pair by pair
    (Jolicoeur-Martineau 2018; Huang et al. 2024, eq. 2): each image is judged against one of the other kind, so that
    no mode of the data can be left to D's side of a common threshold"""
    return softplus(fake_logits - real_logits).mean()


def relativistic_generator(real_logits, fake_logits):
    """min_G  E softplus(-(D(G(z)) - D(x)))        the same game from the other side"""
    return softplus(real_logits - fake_logits).mean()


LOSSES = {
    "bce": Loss(bce_discriminator, bce_generator, sigmoid, supports_label_smoothing=True),
    "lsgan": Loss(lsgan_discriminator, lsgan_generator, threshold=0.5, supports_label_smoothing=True),
    "hinge": Loss(hinge_discriminator, hinge_generator),
    "wasserstein": Loss(wasserstein_critic, hinge_generator, threshold=None),
    "relativistic": Loss(relativistic_discriminator, relativistic_generator, threshold=None, relativistic=True),
}

"""GAN losses: one (D, G) pair for each objective.

D's output is a logit l, its value before the sigmoid: D(x) = sigmoid(l) is the probability that x is real. Losses take
logits because log(sigmoid(l)) = -softplus(-l) is accurate, while the log of a rounded probability can be -infinity. In
losses other than bce, D(x) is the logit. A loss of (real_logits, fake_logits), (N, 1) each, is minimised. E: the mean.
"""

from collections.abc import Callable
from typing import NamedTuple

from ..autograd import Tensor, mean_softplus, mean_square, relu


class Loss(NamedTuple):
    """The losses of D and G, and how to interpret D's outputs.

    probability: whether sigmoid(logit) is the probability that an image is real. threshold: the logit above which D
    says "real"; None if only differences matter: an image is then compared with the mean logit of the other kind.
    relativistic: G's loss uses the real logits too. supports_label_smoothing: D's loss has a target for real images.
    """

    discriminator: Callable[..., Tensor]
    generator: Callable[..., Tensor]
    probability: bool = False
    threshold: float | None = 0.0
    relativistic: bool = False
    supports_label_smoothing: bool = False


def bce_discriminator(real_logits, fake_logits, real_label=1.0):
    """max_D  E[log D(x)] + E[log(1 - D(G(z)))], that is  min  E softplus(-real) + E softplus(fake)

    The original loss, binary cross-entropy (Goodfellow et al. 2014, eq. 1). real_label s is D's target for real images.
    s = 0.9 is one-sided label smoothing (Salimans et al. 2016, section 3.4): it keeps D from becoming too confident.
    The target of fake images stays 0: a higher one would teach D to take bad fakes for real. As
    softplus(x) - softplus(-x) = x, smoothing adds (1 - s) E real to the loss.
    """
    loss = mean_softplus(real_logits, sign=-1) + mean_softplus(fake_logits, sign=1)
    return loss if real_label == 1.0 else loss + (1.0 - real_label) * real_logits.mean()


def bce_generator(real_logits, fake_logits):
    """max_G  E[log D(G(z))], that is  min  E softplus(-fake)        (Goodfellow et al. 2014, section 3)

    The non-saturating form. Early in training D recognises fakes. There the gradient of the saturating form vanishes,
    while this one is large.
    """
    return mean_softplus(fake_logits, sign=-1)


def bce_generator_saturating(real_logits, fake_logits):
    """min_G  E[log(1 - D(G(z)))]  = min  -E softplus(fake)        eq. 1; the gradient vanishes when D is confident"""
    return -mean_softplus(fake_logits, sign=1)


def lsgan_discriminator(real_logits, fake_logits, real_label=1.0):
    """min_D  1/2 E[(D(x) - 1)^2] + 1/2 E[D(G(z))^2]        least squares, on logits (Mao et al. 2017, eq. 9)"""
    return 0.5 * mean_square(real_logits, target=real_label) + 0.5 * mean_square(fake_logits, target=0.0)


def lsgan_generator(real_logits, fake_logits):
    """min_G  1/2 E[(D(G(z)) - 1)^2]        the gradient grows with the distance to the target, so it does not vanish"""
    return 0.5 * mean_square(fake_logits, target=1.0)


def hinge_discriminator(real_logits, fake_logits):
    """min_D  E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]        (Miyato et al. 2018, eq. 16)

    Images that D classifies correctly by a margin of 1 no longer count.
    """
    return relu(1.0 - real_logits).mean() + relu(1.0 + fake_logits).mean()


def hinge_generator(real_logits, fake_logits):
    """min_G  -E[D(G(z))]        (Miyato et al. 2018, eq. 17)"""
    return -fake_logits.mean()


def wasserstein_discriminator(real_logits, fake_logits):
    """min_D  E[D(G(z))] - E[D(x)]        D is called critic (Arjovsky et al. 2017)

    If |dD/dx| is at most 1 everywhere, the loss of the best D is minus the Wasserstein distance: how far, on average,
    images of one distribution must move to become the other. The gradient penalty (penalties.py) keeps |dD/dx| near 1.
    """
    return (fake_logits - real_logits).mean()


wasserstein_generator = hinge_generator  # min_G  -E[D(G(z))] is the loss of both


def relativistic_discriminator(real_logits, fake_logits):
    """min_D  E softplus(-(D(x) - D(G(z))))        (Jolicoeur-Martineau 2018; Huang et al. 2024, eq. 2)

    D compares images in pairs: a real image should have a higher output than a fake one. G's loss stays high while real
    images of any mode have higher outputs than its own, so one good mode is not enough. This counters mode dropping.
    """
    return mean_softplus(fake_logits - real_logits, sign=1)


def relativistic_generator(real_logits, fake_logits):
    """min_G  E softplus(-(D(G(z)) - D(x)))        the same comparison with the roles exchanged"""
    return mean_softplus(real_logits - fake_logits, sign=1)


LOSSES = {
    "bce": Loss(bce_discriminator, bce_generator, probability=True, supports_label_smoothing=True),
    "lsgan": Loss(lsgan_discriminator, lsgan_generator, threshold=0.5, supports_label_smoothing=True),
    "hinge": Loss(hinge_discriminator, hinge_generator),
    "wasserstein": Loss(wasserstein_discriminator, wasserstein_generator, threshold=None),
    "relativistic": Loss(relativistic_discriminator, relativistic_generator, threshold=None, relativistic=True),
}

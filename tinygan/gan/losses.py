"""GAN losses: one (D, G) pair for each objective.

D's output is a logit l. With bce, D(x) = sigmoid(l) is the probability that x is real. In other formulas D(x) is the
logit. E is the mean over the batch. A loss is minimised. It is a function of real_logits and fake_logits, (N, 1) each,
called real and fake in formulas. Losses take logits, because log(sigmoid(l)) = -softplus(-l) is accurate for every l.
"""

from collections.abc import Callable
from typing import NamedTuple

from ..autograd import Tensor, relu, softplus


class Loss(NamedTuple):
    """The losses of D and G, and how to interpret D's outputs.

    probability: whether sigmoid(logit) is the probability that an image is real. threshold: the logit above which D
    classifies an image as real; None if only differences between logits have a meaning. relativistic: whether G's loss
    also uses the real logits. supports_label_smoothing: whether D's loss has the option real_label.
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
    The target for fake images stays 0: with a higher target D would learn to accept bad fakes. With smoothing
    the first term is s E softplus(-real) + (1 - s) E softplus(real) = E softplus(-real) + (1 - s) E real.
    """
    loss = softplus(-real_logits).mean() + softplus(fake_logits).mean()
    return loss if real_label == 1.0 else loss + (1.0 - real_label) * real_logits.mean()


def bce_generator(real_logits, fake_logits):
    """max_G  E[log D(G(z))], that is  min  E softplus(-fake)        (Goodfellow et al. 2014, section 3)

    This is the non-saturating form. Early in training D recognises fakes easily. Then the gradient of the saturating
    form is nearly zero, and the gradient of this form is large.
    """
    return softplus(-fake_logits).mean()


def bce_generator_saturating(real_logits, fake_logits):
    """min_G  E[log(1 - D(G(z)))], that is  min  -E softplus(fake)        The gradient vanishes when D is confident."""
    return -softplus(fake_logits).mean()


def lsgan_discriminator(real_logits, fake_logits, real_label=1.0):
    """min_D  1/2 E[(D(x) - 1)^2] + 1/2 E[D(G(z))^2]        least squares, on logits (Mao et al. 2017, eq. 9)"""
    return 0.5 * ((real_logits - real_label) ** 2).mean() + 0.5 * (fake_logits**2).mean()


def lsgan_generator(real_logits, fake_logits):
    """min_G  1/2 E[(D(G(z)) - 1)^2]        The gradient grows with the distance to the target 1; it does not vanish."""
    return 0.5 * ((fake_logits - 1.0) ** 2).mean()


def hinge_discriminator(real_logits, fake_logits):
    """min_D  E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]        (Miyato et al. 2018, eq. 16)

    Images that D classifies correctly with a margin of 1 have no gradient.
    """
    return relu(1.0 - real_logits).mean() + relu(1.0 + fake_logits).mean()


def hinge_generator(real_logits, fake_logits):
    """min_G  -E[D(G(z))]        (Miyato et al. 2018, eq. 17)"""
    return -fake_logits.mean()


def wasserstein_discriminator(real_logits, fake_logits):
    """min_D  E[D(G(z))] - E[D(x)]        (Arjovsky et al. 2017, where D is called the critic)

    If |dD/dx| is at most 1 everywhere, the smallest possible loss is minus the Wasserstein distance: how far the fake
    images must move, on average, to become the real ones. `gradient_penalty` (penalties.py) keeps |dD/dx| near 1.
    """
    return (fake_logits - real_logits).mean()


wasserstein_generator = hinge_generator  # min_G  -E[D(G(z))]


def relativistic_discriminator(real_logits, fake_logits):
    """min_D  E softplus(-(D(x) - D(G(z))))        (Jolicoeur-Martineau 2018; Huang et al. 2024, eq. 2)

    D compares images in pairs: a real image should have a larger logit than a fake one. G's loss stays high as long as
    the real images of some mode have larger logits than G's images. So G must learn all modes.
    """
    return softplus(-(real_logits - fake_logits)).mean()


def relativistic_generator(real_logits, fake_logits):
    """min_G  E softplus(-(D(G(z)) - D(x)))        G's images should have larger logits than real images."""
    return softplus(-(fake_logits - real_logits)).mean()


LOSSES = {
    "bce": Loss(bce_discriminator, bce_generator, probability=True, supports_label_smoothing=True),
    "lsgan": Loss(lsgan_discriminator, lsgan_generator, threshold=0.5, supports_label_smoothing=True),
    "hinge": Loss(hinge_discriminator, hinge_generator),
    "wasserstein": Loss(wasserstein_discriminator, wasserstein_generator, threshold=None),
    "relativistic": Loss(relativistic_discriminator, relativistic_generator, threshold=None, relativistic=True),
}

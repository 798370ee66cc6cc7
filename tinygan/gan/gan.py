"""The game of two networks (Goodfellow et al. 2014).

The generator G turns noise z ~ N(0, 1) into an image G(z). The discriminator D gives the probability D(x) that an image
x is real. In the code D returns a logit, and D(x) is its sigmoid. D learns to tell real from fake images; G learns to
make images that D classifies as real:

    min_G max_D  E[log D(x)] + E[log(1 - D(G(z)))]

A training step updates D (n_critic times), then G once. All presets play this game. They differ in the networks
(models.py), in the two losses (losses.py), and in whether and how the gradient of D is kept bounded (penalties.py,
layers/spectral.py).

In the default preset, cgan, both networks also get the class c of the image (conditional.py), and D also learns that a
real image with a wrong class is fake (matching.py). With logits, D minimises

    E softplus(-D(x, c)) + E softplus(D(G(z, c), c)) + 0.15 E softplus(D(x, wrong c))
"""

from typing import NamedTuple

from ..autograd import Tensor, grad, no_grad, record
from ..backend import Array
from ..layers import Module, power_iteration
from ..optim import Adam
from .losses import Loss
from .penalties import Penalty


class Phase(NamedTuple):
    """The results of one phase of a step, D's or G's: the loss to minimise, and the values that are logged."""

    loss: Tensor
    real_logits: Tensor | None
    fake_logits: Tensor
    fake: Tensor
    penalty: Tensor | None = None


class GAN:
    """Both networks, their losses, and the training step.

    rng: a backend.RNG, the source of z. A penalty is multiplied by penalty_weight, an array of one number. classes: the
    number of classes if G and D are conditional, else 0. The methods of a conditional GAN also take labels: one
    Tensor of one-hot classes (N, classes), which both networks get.
    """

    def __init__(
        self, G: Module, D: Module, loss: Loss, latent_size: int, rng, penalty: Penalty | None = None,
        penalty_weight: Array | None = None, n_critic: int = 1, classes: int = 0,
    ) -> None:  # fmt: skip
        self.G, self.D, self.loss, self.latent_size, self.rng = G, D, loss, latent_size, rng
        self.penalty, self.penalty_weight, self.n_critic, self.classes = penalty, penalty_weight, n_critic, classes

    def step(self, batches, G_optimizer: Adam, D_optimizer: Adam) -> tuple[Phase, Phase]:
        """Do one training step. batches.take(n) gives n batches (images, *labels). Returns D's last Phase and G's."""
        for i, batch in enumerate(batches.take(self.n_critic), 1):
            real, *labels = map(Tensor, batch)
            power_iteration(self.D)  # of spectral norm, if D has it
            with record(i == self.n_critic):  # G learns from the last fake images only, so the others need no graph
                fake = self.G(self.latent(len(real)), *labels)
            # D's gradient needs no graph of G. Without the detach, `grad` would search G's graph for D's weights
            D_phase = self.discriminator_loss(real, fake.detach(), *labels)
            D_optimizer.step(grad(D_phase.loss, D_optimizer.parameters))

        G_phase = self.generator_loss(real, fake, *labels)  # the last fake images, judged by the updated D
        G_optimizer.step(grad(G_phase.loss, G_optimizer.parameters))  # the gradient flows through D; only G is updated
        return D_phase, G_phase

    def discriminator_loss(self, real: Tensor, fake: Tensor, *labels: Tensor) -> Phase:
        """min_D  -E[log D(x)] - E[log(1 - D(G(z)))], or the D loss that is used instead, plus the penalty

        D gets real and fake images in two calls, so BatchNorm gives each their own statistics. Otherwise the logits of
        fake images would depend on the real ones here, but not in G's phase.
        """
        if self.penalty:  # a penalty differentiates D at the images, so the images become leaves of the graph
            real, fake = (Tensor(images.data, requires_grad=True) for images in (real, fake))
        real_logits, fake_logits = self.D(real, *labels), self.D(fake, *labels)
        loss = self.loss.discriminator(real_logits, fake_logits)
        if not self.penalty:
            return Phase(loss, real_logits, fake_logits, fake)
        penalty = self.penalty.function(self.D, real, fake, real_logits, fake_logits, self.rng, *labels)
        return Phase(loss + penalty * self.penalty_weight.reshape(()), real_logits, fake_logits, fake, penalty)

    def generator_loss(self, real: Tensor, fake: Tensor, *labels: Tensor) -> Phase:
        """min_G  -E[log D(G(z))], or the G loss that is used instead"""
        real_logits = None
        if self.loss.relativistic:  # only a relativistic loss needs this pass of D
            with no_grad():
                real_logits = self.D(real, *labels)
        fake_logits = self.D(fake, *labels)
        return Phase(self.loss.generator(real_logits, fake_logits), real_logits, fake_logits, fake)

    def latent(self, n: int) -> Tensor:
        """Return n latent vectors from N(0, 1): (n, latent_size)."""
        return Tensor(self.rng.normal((n, self.latent_size)))

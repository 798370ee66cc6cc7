"""The game: a forger G learns to draw what a critic D cannot tell from the real thing (Goodfellow et al. 2014).

    D(x) is the probability that x is real,   G(z) a forgery made from noise z ~ N(0, 1)
    min_G max_D  E[log D(x)] + E[log(1 - D(G(z)))]
A step moves D (once, or n_critic times) and then G once. Every preset plays this game; they differ in the networks, in
what the two sides minimise (losses.py), and in what keeps D's slope in bounds (penalties.py, layers/spectral.py).
"""

from typing import NamedTuple

from ..autograd import Tensor, grad, no_grad
from ..layers import power_iteration


class Phase(NamedTuple):
    """What one side of a step computed: its loss, and what the health of the run is read from."""

    loss: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    fake: Tensor
    penalty: Tensor | None = None


class GAN:
    """Both networks, what each minimises, and the training step.

    G, D: modules; loss: a Loss; penalty: a Penalty or None, times penalty_weight, an array of one number; rng: a
    backend.RNG, of the noise; classes: how many there are where G and D are told them, else 0. labels, where
    they appear: nothing, or one-hot classes (N, classes), which both networks are given.
    """

    def __init__(self, G, D, loss, latent_size, rng, penalty=None, penalty_weight=None, n_critic=1, classes=0):
        self.G, self.D, self.loss, self.latent_size, self.rng = G, D, loss, latent_size, rng
        self.penalty, self.penalty_weight, self.n_critic, self.classes = penalty, penalty_weight, n_critic, classes

    def discriminator_loss(self, real, fake, *labels):
        """max_D  E[log D(x)] + E[log(1 - D(G(z)))], or what the loss in use puts in its place, and the penalty"""
        if self.penalty:  # it needs the gradient of D at the images, so they become leaves of the graph
            real, fake = (Tensor(images.data, requires_grad=True) for images in (real, fake))
        real_logits = self.D(real, *labels)  # apart from the fake ones: BatchNorm must not mix them
        fake_logits = self.D(fake, *labels)
        loss = self.loss.discriminator(real_logits, fake_logits)
        if self.penalty is None:
            return Phase(loss, real_logits, fake_logits, fake)
        penalty = self.penalty.function(self.D, real, fake, real_logits, fake_logits, self.rng, *labels)
        return Phase(loss + penalty * self.penalty_weight, real_logits, fake_logits, fake, penalty)

    def generator_loss(self, real, fake, *labels):
        """max_G  E[log D(G(z))], or what the loss in use puts in its place"""
        real_logits = None
        if self.loss.relativistic:  # only a loss that looks at the real logits pays for them
            with no_grad():
                real_logits = self.D(real, *labels)
        fake_logits = self.D(fake, *labels)
        return Phase(self.loss.generator(real_logits, fake_logits), real_logits, fake_logits, fake)

    def step(self, batches, D_optimizer, G_optimizer):
        """One round: n_critic batches of real images for D, then G. Returns the last phase of D and that of G."""
        for _ in range(self.n_critic):
            real, *labels = map(Tensor, batches.next())
            power_iteration(self.D)
            fake = self.G(self.latent(len(real)), *labels).detach()
            D_phase = self.discriminator_loss(real, fake, *labels)
            D_optimizer.step(grad(D_phase.loss, D_optimizer.parameters))

        fake = self.G(self.latent(len(real)), *labels)
        G_phase = self.generator_loss(real, fake, *labels)
        G_optimizer.step(grad(G_phase.loss, G_optimizer.parameters))  # walks through D, and moves only G
        return D_phase, G_phase

    def latent(self, n):
        """n points of noise: (n, latent_size)"""
        return Tensor(self.rng.normal((n, self.latent_size)))

"""The game: a forger G learns to draw what a critic D cannot tell from the real thing (Goodfellow et al. 2014).

    D(x) is the probability that x is real,   G(z) a forgery made from noise z ~ N(0, 1)
    min_G max_D  E[log D(x)] + E[log(1 - D(G(z)))]
Each step moves D once and then G once.
"""

from . import backend
from .autograd import Tensor, grad, no_grad, sigmoid
from .backend.state import load_arrays

METRICS = ("d_loss", "g_loss", "d_real", "d_fake")  # both losses; the mean of D(x) and of D(G(z)), before D moves


class GAN:
    """Both networks, their optimisers, and the training step.

    The step has no branch that depends on its number, and its state is arrays changed in place (weights, moments,
    statistics, the count of steps, the history), so that it can be captured once and replayed. history: the metrics
    of the last HISTORY steps, a row each, for the host to read now and then.
    """

    HISTORY = 10

    def __init__(self, generator, discriminator, loss, latent_size, optimizers, rng):
        self.G, self.D, self.loss, self.latent_size, self.rng = generator, discriminator, loss, latent_size, rng
        self.G_optimizer, self.D_optimizer = optimizers
        self.steps = backend.xp.zeros(1, "int64")
        self.history = backend.xp.zeros((self.HISTORY, len(METRICS)), "float32")

    def discriminator_loss(self, real, latent):
        """max_D  E[log D(x)] + E[log(1 - D(G(z)))]"""
        fake = self.G(latent).detach()  # D learns from the forgery; the forger must not learn from this
        real_logits, fake_logits = self.D(real), self.D(fake)  # two batches: BatchNorm must not mix real and fake
        return self.loss.discriminator(real_logits, fake_logits), real_logits, fake_logits

    def generator_loss(self, latent):
        """max_G  E[log D(G(z))]"""
        return self.loss.generator(None, self.D(self.G(latent)))

    def step(self, real):
        """One round. real: images (N, H, W, C) in [-1, 1], an array."""
        d_loss, real_logits, fake_logits = self.discriminator_loss(Tensor(real), self.latent(len(real)))
        self.D_optimizer.step(grad(d_loss, self.D_optimizer.parameters))

        g_loss = self.generator_loss(self.latent(len(real)))
        self.G_optimizer.step(grad(g_loss, self.G_optimizer.parameters))  # walks through D, but moves only G

        self.record(d_loss, g_loss, probability(real_logits), probability(fake_logits))

    def latent(self, n):
        """n points of noise: (n, latent_size)"""
        return Tensor(self.rng.normal((n, self.latent_size)))

    def record(self, *metrics):
        row = self.steps % self.HISTORY
        for column, metric in enumerate(metrics):
            self.history[row, column] = metric.data
        self.steps += 1

    def sample(self, latent):
        """Images (N, H, W, C) in [-1, 1], an array, for latent points: an array (N, latent_size).

        In eval mode: sampling must not move BatchNorm's running statistics.
        """
        self.G.eval()
        with no_grad():
            images = self.G(Tensor(latent)).data
        self.G.train()
        return images

    def state_dict(self):
        """Everything that the next step depends on: {dotted name: array}."""
        state = {"steps": self.steps, "history": self.history}
        for name, part in self._parts().items():
            state.update({f"{name}.{key}": array for key, array in part.state_dict().items()})
        return state

    def load_state_dict(self, saved):
        """Raises ValueError when the saved state is that of other networks."""
        for name, part in self._parts().items():
            prefix = f"{name}."
            part.load_state_dict({k[len(prefix) :]: v for k, v in saved.items() if k.startswith(prefix)})
        own = {"steps": self.steps, "history": self.history}
        load_arrays(own, {k: saved[k] for k in own}, "GAN")

    def _parts(self):
        return {
            "generator": self.G,
            "discriminator": self.D,
            "generator_optimizer": self.G_optimizer,
            "discriminator_optimizer": self.D_optimizer,
            "rng": self.rng,
        }


def probability(logits):
    """The mean of D's probability, from its logits: sigmoid takes one to the other."""
    with no_grad():
        return sigmoid(logits).mean()

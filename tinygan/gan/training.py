"""Around the game: optimisers, schedules, the average of G's weights, the history of metrics; and all of it as state.

A training step has no branch that depends on its number, and its state is arrays changed in place (weights, moments,
statistics, the count of steps, the history), so that it can be captured once and replayed.
"""

from .. import backend
from ..autograd import Tensor, no_grad
from ..layers import update_bn_statistics
from .health import METRICS, measure


class Training:
    """A GAN, and everything that its next step depends on.

    schedules: [(array that is set, table of its values by step)]. history: the metrics of the last HISTORY steps, a
    row each, for the host to read now and then. ema: an EMA of G, or None.
    """

    HISTORY = 10

    def __init__(self, gan, G_optimizer, D_optimizer, ema=None, schedules=()):
        self.gan, self.G_optimizer, self.D_optimizer = gan, G_optimizer, D_optimizer
        self.ema, self.schedules = ema, schedules
        self.steps = backend.xp.zeros(1, "int64")
        self.history = backend.xp.zeros((self.HISTORY, len(METRICS)), "float32")

    def step(self, batches):
        """One round of the game on the next batches."""
        for target, table in self.schedules:
            target[...] = table.take(backend.xp.minimum(self.steps, len(table) - 1))
        phases = self.gan.step(batches, self.D_optimizer, self.G_optimizer)
        if self.ema:
            self.ema.update()
        row = self.steps % self.HISTORY
        for column, metric in enumerate(measure(self.gan.loss, *phases, self.D_optimizer, self.G_optimizer)):
            self.history[row, column] = metric
        self.steps += 1

    def sampler(self):
        """G as it is to be used: in eval mode, averaged where there is an average.

        BatchNorm's statistics are those of the weights along the way; under averaged weights they are estimated anew,
        with a generator of their own, so that looking at samples changes nothing in the run.
        """
        G = self.gan.G
        if self.ema:
            self.ema.copy_buffers()
            G, rng = self.ema.average, backend.RNG(0)
            latents = (rng.normal((256, self.gan.latent_size)) for _ in range(8))
            update_bn_statistics(G, (self.generator_inputs(latent) for latent in latents))
        return G.eval()

    def generator_inputs(self, latent, classes=None):
        """What G takes, Tensors: latent points (n, latent_size), and if it is conditional one-hot classes (n, classes).

        classes: an array of n integers; every class in turn where none are given.
        """
        if not self.gan.classes:
            return (Tensor(latent),)
        xp = backend.xp
        classes = xp.arange(len(latent)) % self.gan.classes if classes is None else classes
        return Tensor(latent), Tensor(xp.eye(self.gan.classes, dtype="float32").take(classes, axis=0))

    def sample(self, latent, classes=None, batch=256):
        """Images in [-1, 1] (or points), an array, for latent points (n, latent_size), and classes (n,) if need be."""
        G = self.sampler()
        inputs = self.generator_inputs(latent, classes)
        try:
            with no_grad():
                parts = [G(*(x[i : i + batch] for x in inputs)).data for i in range(0, len(latent), batch)]
        finally:
            self.gan.G.train()
        return backend.xp.concatenate(parts)

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
        backend.load_arrays(own, {k: saved[k] for k in own if k in saved}, "Training")

    def sampling_parts(self):
        """The parts that samples are drawn from: all that is needed of a checkpoint, from whatever device."""
        return {"generator": self.gan.G, "ema": self.ema} if self.ema else {"generator": self.gan.G}

    def report(self):
        """The METRICS, each the mean of the last HISTORY steps, and behind them 1 if these and all weights are finite
        numbers, else 0: one array, for a backend.AsyncCopy."""
        xp = backend.xp
        arrays = (self.history, self.G_optimizer.flat.data, self.D_optimizer.flat.data)
        finite = xp.stack([xp.isfinite(array).all() for array in arrays]).all()
        return xp.concatenate([self.history.mean(0), finite.astype("float32").reshape(1)])

    def is_finite(self):
        """Whether the last steps' metrics and all weights are finite numbers. Waits for the device."""
        return bool(self.report()[-1])

    def _parts(self):
        parts = {
            "generator": self.gan.G,
            "discriminator": self.gan.D,
            "generator_optimizer": self.G_optimizer,
            "discriminator_optimizer": self.D_optimizer,
            "rng": self.gan.rng,
        }
        return {**parts, "ema": self.ema} if self.ema else parts

"""The state of training: the GAN with its optimisers, schedules, EMA and recent metrics.

Everything that changes in a step is in arrays that are updated in place: weights, moments, statistics, metrics and the
step counter. The Python code is the same in every step. So on CUDA a step can be captured once and replayed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from .. import backend
from ..autograd import Tensor, no_grad
from ..backend import Array, distributed
from ..layers import Module
from ..optim import Adam
from .ema import EMA, update_bn_statistics
from .gan import GAN
from .health import METRICS, measure

line = lambda progress: 1.0 - progress  # two curves from 1 to 0; progress: from 0 to 1 over the training
cosine = lambda progress: 0.5 + 0.5 * backend.xp.cos(math.pi * progress)


class Training:
    """A GAN, and everything else on which its next step depends.

    ema: the EMA of G, or None. schedules: (array, start, end) for each array that changes along the total_steps steps
    of the training, on a curve from start to end. class_sizes: the number of images of each class in the data; equal
    sizes by default. history: the metrics of the last HISTORY steps, (HISTORY, len(METRICS)).
    """

    HISTORY = 10

    def __init__(
        self, gan: GAN, G_optimizer: Adam, D_optimizer: Adam, ema: EMA | None = None,
        schedules: Sequence[tuple[Array, float, float]] = (), curve: Callable[[Array], Array] = line,
        total_steps: int = 1, class_sizes: Sequence[int] = (),
    ) -> None:  # fmt: skip
        self.gan, self.G_optimizer, self.D_optimizer = gan, G_optimizer, D_optimizer
        self.ema, self.schedules, self.curve, self.total_steps = ema, schedules, curve, total_steps
        self.class_sizes = class_sizes or [1] * gan.classes
        self.steps = backend.xp.zeros(1, "int64")
        self.history = backend.xp.zeros((self.HISTORY, len(METRICS)), "float32")
        self.row = backend.xp.zeros(len(METRICS), "float32")  # of the last step
        self.metrics = [self.row[i : i + 1] for i in range(len(METRICS))]

    def step(self, batches) -> None:
        """Do one training step. batches.take(n): n batches (images, *labels)."""
        self.set_scheduled()
        D_phase, G_phase = self.gan.step(batches, self.G_optimizer, self.D_optimizer)
        if self.ema:
            self.ema.update()
        metrics = measure(self.gan.loss, G_phase, D_phase, self.G_optimizer, self.D_optimizer)
        backend.copy_into(self.metrics, [x.reshape(1).astype("float32", copy=False) for x in metrics])
        distributed.average(self.row)
        self.history[self.steps % self.HISTORY] = self.row
        self.steps += 1

    def set_scheduled(self) -> None:
        """Set the arrays that have a schedule, such as the learning rates, to their values for this step."""
        if self.schedules:
            step = backend.xp.minimum(self.steps, self.total_steps - 1).astype("float32")
            remaining = self.curve(step / self.total_steps)
            for array, start, end in self.schedules:
                array[...] = end + (start - end) * remaining

    def sampler(self) -> Module:
        """Return the network for samples, in evaluation mode: G with averaged weights if there is an EMA, else G.

        The BatchNorm statistics for the averaged weights are computed here. The latent vectors for them come from a
        separate RNG, so sampling does not change the training.
        """
        if not self.ema:
            return self.gan.G.eval()
        G, rng = self.ema.average, backend.RNG(0)
        latents = (rng.normal((256, self.gan.latent_size)) for _ in range(8))
        update_bn_statistics(G, (self.generator_inputs(latent) for latent in latents))
        return G.eval()

    def generator_inputs(self, latent: Array, classes: Array | None = None) -> tuple[Tensor, ...]:
        """Return the inputs of G: latent vectors (n, latent_size), and one-hot labels (n, classes) if G is conditional.

        classes: integers (n,); by default mixed_classes(n).
        """
        if not self.gan.classes:
            return (Tensor(latent),)
        classes = self.mixed_classes(len(latent)) if classes is None else classes
        return Tensor(latent), Tensor(backend.xp.eye(self.gan.classes, dtype="float32").take(classes, axis=0))

    def mixed_classes(self, n: int) -> Array:
        """Return classes for n samples, integers (n,), in proportion to `class_sizes`.

        The interval [0, 1) is divided into a part for each class. Sample i gets the class of the part that contains
        i times the golden ratio, modulo 1. These numbers are evenly distributed for every n.
        """
        xp = backend.xp
        bounds = xp.asarray(list(itertools.accumulate(self.class_sizes))[:-1], dtype="float64") / sum(self.class_sizes)
        points = xp.arange(1, n + 1).astype("float64") * 0.6180339887498949 % 1.0
        return (points[:, None] >= bounds).sum(1)

    def sample(self, latent: Array, classes: Array | None = None, batch: int = 256) -> Array:
        """Generate images in [-1, 1], or points. latent: (n, latent_size). classes: as for generator_inputs."""
        inputs = self.generator_inputs(latent, classes)
        try:
            G = self.sampler()
            with no_grad():
                images = [G(*(x[i : i + batch] for x in inputs)).data for i in range(0, len(latent), batch)]
        finally:
            self.gan.G.train()
        return backend.xp.concatenate(images)

    def state_dict(self) -> dict[str, Array]:
        """Return {dotted name: array} of everything on which the next step depends. The arrays are not copies."""
        state = {"steps": self.steps, "history": self.history}
        for name, part in self._parts().items():
            state.update({f"{name}.{key}": array for key, array in part.state_dict().items()})
        return state

    def load_state_dict(self, saved: dict) -> None:
        """Copy saved arrays into the arrays of the state. Raises ValueError if the arrays are of other networks."""
        for name, part in self._parts().items():
            prefix = f"{name}."
            part.load_state_dict({k[len(prefix) :]: v for k, v in saved.items() if k.startswith(prefix)})
        own = {"steps": self.steps, "history": self.history}
        backend.load_arrays(own, {k: saved[k] for k in own if k in saved}, "Training")

    def sampling_parts(self) -> dict:
        """Return {name: object with state_dict()} for sampling. These states can be loaded on another device."""
        return {"generator": self.gan.G, "ema": self.ema} if self.ema else {"generator": self.gan.G}

    def report(self) -> Array:
        """Return METRICS, averaged over the last HISTORY steps, and one more number: whether all is finite.

        This number is 1 if the metrics and all weights are finite, else 0. One copy brings the result to the host.
        """
        arrays = self.history, self.G_optimizer.flat.data, self.D_optimizer.flat.data
        finite = backend.xp.stack([backend.xp.isfinite(array).all() for array in arrays]).all()
        return backend.xp.concatenate([self.history.mean(0), finite.reshape(1).astype("float32")])

    def is_finite(self) -> bool:
        """Return whether the last metrics and all weights are finite. Waits for the device."""
        return bool(self.report()[-1])

    def _parts(self) -> dict:
        parts = {
            "generator": self.gan.G,
            "discriminator": self.gan.D,
            "generator_optimizer": self.G_optimizer,
            "discriminator_optimizer": self.D_optimizer,
            "rng": self.gan.rng,
        }
        return {**parts, "ema": self.ema} if self.ema else parts

"""The health of a run: metrics of each step, and the detection of common failures.

The metrics are computed from values of the training step, without further passes through a network. With the loss bce,
D(x) and D(G(z)) are probabilities. If both are near 0.5, D cannot tell real from fake images: this is the case at the
start of training and at the optimum. D(x) from 0.6 to 0.8 and D(G(z)) from 0.2 to 0.4 are healthy. If D(x) is 1 and
D(G(z)) is 0 for a long time, D has won, and G learns nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from .. import backend
from ..autograd import PRIMITIVES, Tensor, sigmoid
from ..backend import Array, distributed
from ..optim import Adam
from .gan import Phase
from .losses import Loss

METRICS = (
    "d_loss",  # D's loss, including a penalty and the term for wrong labels
    "g_loss",
    "d_real",  # the mean of D(x): a probability for bce, else the mean logit
    "d_fake",  # the mean of D(G(z)) in D's phase, before the update of D
    "d_fake_after",  # the same in G's phase, after the update of D
    "accuracy_real",  # the fraction of real images that D classifies correctly
    "accuracy_fake",
    "d_gradient",  # the norm of the gradient with respect to all parameters of D
    "g_gradient",
    "penalty",  # the penalty before it is multiplied by its weight
    "pairwise_distance",  # the root mean square distance between two images of a generated batch
)
RECENT = 20  # the number of rows of the log from which failures are detected


def measure(loss: Loss, G_phase: Phase, D_phase: Phase, G_optimizer: Adam, D_optimizer: Adam) -> list[Array]:
    """Return METRICS of a step, in their order: arrays of one number."""
    assert D_phase.real_logits is not None
    real, fake, after = (x.data for x in (D_phase.real_logits, D_phase.fake_logits, G_phase.fake_logits))
    over_real, over_fake = thresholds(loss, real, fake)
    right = (real > over_real), (fake < over_fake)
    outputs = [sigmoid(Tensor(x)).data if loss.probability else x for x in (real, fake, after)]
    losses = D_phase.loss.data, G_phase.loss.data
    norms = [backend.xp.sqrt(backend.column_sums(square, o.gradient)) for o in (D_optimizer, G_optimizer)]
    penalty = backend.xp.zeros(1, "float32") if D_phase.penalty is None else D_phase.penalty.data
    means = (x.mean(dtype="float32") for x in (*outputs, *right))
    return [*losses, *means, *norms, penalty, pairwise_distance(D_phase.fake.data)]


square = lambda x: x * x


def thresholds(loss: Loss, real: Array, fake: Array) -> tuple[Array | float, Array | float]:
    """Return the logits that real images must exceed, and fake images must not reach, to be classified correctly.

    Both are loss.threshold. Without a threshold, a real image is compared with the mean logit of the fake images, and a
    fake image with the mean logit of the real images.
    """
    if loss.threshold is not None:
        return loss.threshold, loss.threshold
    means = backend.xp.stack([fake.mean(), real.mean()])
    distributed.average(means)
    return means[0], means[1]


def pairwise_distance(images: Array) -> Array:
    """Return the root mean square distance of two of the N images: the root of 2 N / (N - 1) E |x - mean|^2"""
    n = len(images) * distributed.size
    _, variance = backend.mean_and_variance(images.reshape(len(images), -1))
    return backend.xp.sqrt(variance.sum() * (2.0 * n / max(n - 1, 1)))


class FailureMonitor:
    """Detects failures of a run from its metrics. Each failure is reported once."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.reported: set[str] = set()
        self.recent: deque[dict[str, float]] = deque(maxlen=RECENT)
        self.highest = {"g_gradient": 0.0, "pairwise_distance": 0.0}

    def update(self, row: Sequence[float]) -> list[str]:
        """Add a row of METRICS. Return the failures that were not reported before, as sentences."""
        metrics = dict(zip(METRICS, row, strict=True))
        self.recent.append(metrics)
        self.highest = {name: max(value, metrics[name]) for name, value in self.highest.items()}
        new = [failure for failure in self.failures() if failure not in self.reported]
        self.reported.update(new)
        return new

    def failures(self) -> Iterator[str]:
        if len(self.recent) < RECENT:
            return
        mean = {name: sum(row[name] for row in self.recent) / RECENT for name in METRICS}
        certain = min(mean["accuracy_real"], mean["accuracy_fake"]) > 0.98
        if self.loss.threshold is not None and certain and mean["g_gradient"] < 0.05 * self.highest["g_gradient"]:
            yield (
                "D has won: it classifies nearly every image correctly, and G's gradient has vanished. "
                "Try --preset sngan or r3gan, or --no-saturating, --real-label 0.9 or --dropout 0.3"
            )
        if mean["pairwise_distance"] < 0.3 * self.highest["pairwise_distance"]:
            yield (
                "G is collapsing: its images have become much more alike than they were. "
                "Try --preset r3gan or wgan-gp, a larger batch, or a smaller --lr"
            )


class NotFinite(ArithmeticError):
    """The result of a primitive is not finite; the message names the primitive."""


class detect_anomaly:
    """with detect_anomaly(): raise NotFinite in the first primitive whose result contains a NaN or an infinity.

    Within the block, the forward functions of all primitives also check their results.
    """

    def __enter__(self) -> None:
        self.forwards = {primitive: primitive.forward for primitive in PRIMITIVES.values()}
        for primitive, forward in self.forwards.items():
            primitive.forward = _checked(primitive, forward)

    def __exit__(self, *error) -> None:
        for primitive, forward in self.forwards.items():
            primitive.forward = forward


def _checked(primitive, forward):
    def call(*args, **kwargs):
        y = forward(*args, **kwargs)
        if not bool(backend.xp.isfinite(y).all()):
            shapes = ", ".join(str(a.shape) for a in args if hasattr(a, "shape"))
            raise NotFinite(f"{primitive.__name__} of {shapes} gave the first result that is not finite")
        return y

    return call

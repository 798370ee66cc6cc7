"""The health of a run: the metrics of each step, and the failures that have a name.

All metrics come from values that the step computes anyway; no image goes through a network for them. With bce, D(x) and
D(G(z)) are probabilities. Both near 0.5: D cannot tell real from fake, as at the very start or at the optimum. 0.6 to
0.8 against 0.2 to 0.4: a healthy game. 1 against 0 for long: D has won, and G learns nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from .. import backend
from ..autograd import PRIMITIVES
from ..backend import Array, distributed, formulas
from ..optim import Adam
from .gan import Phase
from .losses import Loss

METRICS = (
    "d_loss",  # with the penalty
    "g_loss",
    "d_real",  # mean D(x): a probability for bce, else D's output
    "d_fake",  # mean D(G(z)) before the update of D
    "d_fake_after",  # mean D(G(z)) after it, for other z
    "accuracy_real",  # the share of real images that D classifies correctly
    "accuracy_fake",
    "d_gradient",  # the norm of D's gradient, over all parameters
    "g_gradient",
    "penalty",  # without its weight
    "pairwise_distance",  # the root mean square distance between two images of a generated batch
)
RECENT = 20  # a failure must last for this number of log rows


def measure(
    loss: Loss, G_phase: Phase, D_phase: Phase, G_optimizer: Adam, D_optimizer: Adam, out: Sequence[Array]
) -> None:
    """Write the metrics of a step into `out`, arrays of one number each, in the order of METRICS."""
    assert D_phase.real_logits is not None
    real, fake, after = (x.data.reshape(-1) for x in (D_phase.real_logits, D_phase.fake_logits, G_phase.fake_logits))
    scores = score(loss, real, fake, after)
    penalty = 0.0 if D_phase.penalty is None else D_phase.penalty.data
    losses, norms = (D_phase.loss.data, G_phase.loss.data), (D_optimizer.gradient_norm, G_optimizer.gradient_norm)
    variance, n = total_variance(D_phase.fake.data), len(fake) * distributed.size
    factors = 1.0 / len(real), 1.0 / len(fake), 2.0 * n / max(n - 1, 1)
    metrics(*losses, *scores, *norms, penalty, variance, *factors, out=tuple(out))


def score(loss: Loss, real: Array, fake: Array, after: Array) -> list[Array]:
    """Return five sums: of D's outputs for three batches of logits (N,), and how many of the first two are right.

    A loss without a threshold compares each image with the mean logit of the other kind.
    """
    over_real = over_fake = loss.threshold
    if loss.threshold is None:
        over_real, over_fake = (backend.column_sums(formulas.identity, x) / len(x) for x in (fake, real))
        distributed.average(over_real, over_fake)
    scores = formulas.probability_scores if loss.probability else formulas.scores
    return backend.column_sums(scores, real, fake, after, over_real, over_fake)


def total_variance(images: Array) -> Array:
    """Return E |x - mean|^2: (N, ...) -> (1,). Two images differ by 2 n / (n - 1) times as much, on average."""
    _, variance = backend.mean_and_variance(images.reshape(len(images), -1))
    return backend.column_sums(formulas.identity, variance)


@backend.fuse
def metrics(
    d_loss, g_loss, real, fake, after, real_right, fake_right, d_norm, g_norm, penalty, variance,
    per_real, per_fake, pairs,
):  # fmt: skip
    """METRICS of sums over the batch: per_real, per_fake are 1 / number of images. pairs: see total_variance."""
    outputs = real * per_real, fake * per_fake, after * per_fake
    accuracies = real_right * per_real, fake_right * per_fake
    return d_loss, g_loss, *outputs, *accuracies, d_norm, g_norm, penalty, backend.xp.sqrt(variance * pairs)


class FailureMonitor:
    """Finds the failures of a run in its metrics and reports each once."""

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.reported: set[str] = set()
        self.recent: deque[dict[str, float]] = deque(maxlen=RECENT)
        self.highest = {"g_gradient": 0.0, "pairwise_distance": 0.0}

    def update(self, row: Sequence[float]) -> list[str]:
        """Add a row of METRICS. Return the failures that appear for the first time, as sentences."""
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
                "Try --preset sngan or r3gan; or the non-saturating loss, --real-label 0.9, --dropout 0.3"
            )
        if mean["pairwise_distance"] < 0.3 * self.highest["pairwise_distance"]:
            yield (
                "G is collapsing: its images have become much more alike than they were. "
                "Try --preset r3gan or wgan-gp, a larger batch, or a smaller --lr"
            )


class NotFinite(ArithmeticError):
    """The result of a primitive is not finite; the message names the primitive."""


class detect_anomaly:
    """with detect_anomaly(): raise NotFinite at the first primitive whose result has a NaN or an infinity.

    Within the block the forward function of every primitive is replaced by one that checks the result.
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

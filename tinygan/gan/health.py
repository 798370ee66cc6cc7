"""How a run is doing: what is measured at each step, and the failures that have a name.

Everything comes out of what the step computes anyway; no image goes through a network for it.
For bce D(x) and D(G(z)) are probabilities. Both near 0.5: D cannot tell, as at the end or at the very beginning. 0.6 to
0.8 against 0.2 to 0.4: a contest. 1 against 0, and staying there: D has won, and G learns nothing.
"""

from collections import deque

from .. import backend
from ..autograd import PRIMITIVES, no_grad

METRICS = (
    "d_loss",  # what D minimises, penalty included
    "g_loss",
    "d_real",  # the mean of D(x): a probability for bce, else D's output
    "d_fake",  # the mean of D(G(z)) before D's step
    "d_fake_after",  # and after it, on other noise
    "accuracy_real",  # the share of real images that D places rightly
    "accuracy_fake",
    "d_gradient",  # the norm of D's gradient, all parameters together
    "g_gradient",
    "penalty",  # before its weight
    "spread",  # the root mean square distance between two images of the generated batch
)
RECENT = 20  # rows of the log that a failure must last


def measure(loss, D_phase, G_phase, D_optimizer, G_optimizer):
    """The metrics of a step, arrays of one number each, in the order of METRICS."""
    real, fake = D_phase.real_logits, D_phase.fake_logits
    accuracy_real, accuracy_fake = accuracy(loss, real.data, fake.data)
    return (
        D_phase.loss.data,
        G_phase.loss.data,
        opinion(loss, real),
        opinion(loss, fake),
        opinion(loss, G_phase.fake_logits),
        accuracy_real,
        accuracy_fake,
        D_optimizer.gradient_norm,
        G_optimizer.gradient_norm,
        backend.xp.zeros(1, "float32") if D_phase.penalty is None else D_phase.penalty.data,
        spread(D_phase.fake.data),
    )


def opinion(loss, logits):
    """The mean of D(x), an array."""
    with no_grad():
        return loss.opinion(logits).mean().data


def accuracy(loss, real, fake):
    """The shares of real and of fake images that D places rightly, from its outputs: two arrays.

    A loss without a threshold relativistic: an image is held against the mean of the other kind.
    """
    over_real, over_fake = (fake.mean(), real.mean()) if loss.threshold is None else (loss.threshold, loss.threshold)
    return (real > over_real).astype(real.dtype).mean(), (fake < over_fake).astype(fake.dtype).mean()


def spread(images):
    """sqrt(E |x_i - x_j|^2) over pairs i != j, an array: that is 2 n / (n - 1) times the sum of variances."""
    n = len(images)
    centred = images - images.mean(0)
    return backend.xp.sqrt((centred * centred).sum() * (2.0 / max(n - 1, 1)))


class FailureMonitor:
    """Names the failures of a run, each once."""

    def __init__(self, loss):
        self.loss, self.named = loss, set()
        self.recent, self.most = deque(maxlen=RECENT), {"g_gradient": 0.0, "spread": 0.0}

    def update(self, row):
        """row: the METRICS, numbers in their order. Returns the failures that show for the first time, as sentences."""
        row = dict(zip(METRICS, row, strict=True))
        self.recent.append(row)
        self.most = {metric: max(most, row[metric]) for metric, most in self.most.items()}
        new = [failure for failure in self.failures() if failure not in self.named]
        self.named.update(new)
        return new

    def failures(self):
        if len(self.recent) < RECENT:
            return
        mean = {metric: sum(row[metric] for row in self.recent) / RECENT for metric in METRICS}
        sure = min(mean["accuracy_real"], mean["accuracy_fake"]) > 0.98
        if self.loss.threshold is not None and sure and mean["g_gradient"] < 0.05 * self.most["g_gradient"]:
            yield (
                "D has won: it is right about nearly every image, and the gradient that G gets from it has vanished. "
                "Try --preset sngan or r3gan; or the non-saturating loss, --label-smoothing 0.9, --dropout 0.3"
            )
        if mean["spread"] < 0.3 * self.most["spread"]:
            yield (
                "G is collapsing: its images have come to lie much closer together than they did. "
                "Try --preset r3gan or wgan-gp, a larger batch, or a smaller --lr"
            )


class NotFinite(ArithmeticError):
    """A primitive whose result is not finite; the message names it."""


class detect_anomaly:
    """with detect_anomaly(): the first primitive that makes a NaN or an infinity raises NotFinite."""

    def __enter__(self):
        self.forwards = {primitive: primitive.forward for primitive in PRIMITIVES.values()}
        for primitive, forward in self.forwards.items():
            primitive.forward = _checked(primitive, forward)

    def __exit__(self, *error):
        for primitive, forward in self.forwards.items():
            primitive.forward = forward


def _checked(primitive, forward):
    def call(*args, **kwargs):
        y = forward(*args, **kwargs)
        if not bool(backend.xp.isfinite(y).all()):
            shapes = ", ".join(str(a.shape) for a in args if hasattr(a, "shape"))
            raise NotFinite(f"{primitive.__name__} of {shapes} gave the first tensor that is not finite")
        return y

    return call

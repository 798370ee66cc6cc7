"""Ways between latent points, as images: what lies between two digits shows whether G has learned more than points.

On a straight line the middle is a place that G has never seen: points of N(0, 1) in d dimensions have a length near
sqrt(d), and halfway between two of them it is near sqrt(d / 2). So the way is the arc (Shoemake 1985, "slerp"):
    (sin((1 - t) w) a + sin(t w) b) / sin w        t from 0 to 1; w the angle between a and b
"""

from .. import backend
from ..data import to_pixels
from . import plots

COLUMNS = 10  # images in a strip
FRAMES = 20  # of a loop, from one corner to the next
CORNERS = 3


def slerp(a, b, t):
    """The point at t from 0 to 1 on the arc from a to b, each (..., d)."""
    xp = backend.xp
    cosine = (a * b).sum(-1, keepdims=True) / xp.sqrt((a * a).sum(-1, keepdims=True) * (b * b).sum(-1, keepdims=True))
    angle = xp.arccos(xp.clip(cosine, -1.0, 1.0))
    straight = xp.sin(angle) < 1e-3  # no arc leads there, as in one dimension: a line does
    sine = xp.where(straight, 1.0, xp.sin(angle))
    from_a = xp.where(straight, 1.0 - t, xp.sin((1.0 - t) * angle) / sine)
    from_b = xp.where(straight, t, xp.sin(t * angle) / sine)
    return from_a * a + from_b * b


def way(points, count):
    """(count, ..., d): from the first of points (K, ..., d) by way of each to the last, in even steps of t."""
    places = [leg * (len(points) - 1) / (count - 1) for leg in range(count)]
    legs = [min(int(place), len(points) - 2) for place in places]
    return backend.xp.stack([slerp(points[i], points[i + 1], place - i) for i, place in zip(legs, places)])


def strips(training, rng, n, classes=None):
    """n ways from one random point to another: uint8 (n, COLUMNS, H, W, C). classes: an array of n integers."""
    latent = way(rng.normal((2, n, training.gan.latent_size)), COLUMNS)
    return drawn(training, latent, classes).swapaxes(0, 1)


def loops(training, rng, n, classes=None):
    """n ways around random corners and back: uint8 (CORNERS * FRAMES, n, H, W, C), in the order of time."""
    corners = rng.normal((CORNERS, n, training.gan.latent_size))
    latent = way(backend.xp.concatenate([corners, corners[:1]]), CORNERS * FRAMES + 1)[:-1]  # its end is its beginning
    return drawn(training, latent, classes)


def drawn(training, latent, classes):
    """Images, uint8 (count, n, H, W, C), of latent points (count, n, d) and their classes (n,), or None."""
    count, n, size = latent.shape
    if classes is not None:
        classes = classes.take(backend.xp.arange(count * n) % n)
    images = to_pixels(backend.to_host(training.sample(latent.reshape(count * n, size), classes)))
    return images.reshape(count, n, *images.shape[1:])


def save(run, training):
    """interpolation.png of a run on images: always the same ways, one within each class up to ten."""
    classes = backend.xp.arange(min(run.settings["classes"], 10)) if run.preset.conditional else None
    n = 6 if classes is None else len(classes)
    images = strips(training, backend.RNG((run.settings["seed"], 3)), n, classes)
    plots.save_grid(run.folder / "interpolation.png", images.reshape(-1, *images.shape[2:]), COLUMNS)

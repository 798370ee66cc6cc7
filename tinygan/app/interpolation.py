"""Interpolation between latent vectors: images on the way show whether G has learned more than single examples.

A vector from N(0, 1) in d dimensions has a length near sqrt(d), but the midpoint of two of them only sqrt(d / 2): G has
not been trained on such short vectors. So the path is an arc (Shoemake 1985, "slerp"):
    (sin((1 - t) w) a + sin(t w) b) / sin w        t from 0 to 1; w the angle between a and b
"""

from .. import backend
from ..data import to_pixels
from . import class_names, plots

COLUMNS = 10  # images in a strip
FRAMES = 20  # of a loop, from one corner to the next
CORNERS = 3


def slerp(a, b, t):
    """Return the point at t, from 0 to 1, on the arc from a to b, each (..., d)."""
    xp = backend.xp
    cosine = (a * b).sum(-1, keepdims=True) / xp.sqrt((a * a).sum(-1, keepdims=True) * (b * b).sum(-1, keepdims=True))
    angle = xp.arccos(xp.clip(cosine, -1.0, 1.0))
    straight = xp.sin(angle) < 1e-3  # on one line with 0 there is no arc, so take the line
    sine = xp.where(straight, 1.0, xp.sin(angle))
    from_a = xp.where(straight, 1.0 - t, xp.sin((1.0 - t) * angle) / sine)
    from_b = xp.where(straight, t, xp.sin(t * angle) / sine)
    return from_a * a + from_b * b


def way(points, count):
    """Return `count` points (count, ..., d) from the first to the last of `points` (K, ..., d), in even steps of t."""
    places = [leg * (len(points) - 1) / (count - 1) for leg in range(count)]
    legs = [min(int(place), len(points) - 2) for place in places]
    return backend.xp.stack([slerp(points[i], points[i + 1], place - i) for i, place in zip(legs, places)])


def strips(training, rng, n, classes=None):
    """Return n paths between random points as images: uint8 (n, COLUMNS, H, W, C). classes: n integers, or None."""
    latent = way(rng.normal((2, n, training.gan.latent_size)), COLUMNS)
    return drawn(training, latent, classes).swapaxes(0, 1)


def loops(training, rng, n, classes=None):
    """Return n closed paths through random corners, as frames: uint8 (CORNERS * FRAMES, n, H, W, C)."""
    corners = rng.normal((CORNERS, n, training.gan.latent_size))
    latent = way(backend.xp.concatenate([corners, corners[:1]]), CORNERS * FRAMES + 1)[:-1]  # it ends where it began
    return drawn(training, latent, classes)


def drawn(training, latent, classes):
    """Return the images, uint8 (count, n, H, W, C), of latent vectors (count, n, d) and classes (n,), or None."""
    count, n, size = latent.shape
    if classes is not None:
        classes = classes.take(backend.xp.arange(count * n) % n)
    images = to_pixels(backend.to_host(training.sample(latent.reshape(count * n, size), classes)))
    return images.reshape(count, n, *images.shape[1:])


def save(run, training):
    """Write interpolation.png of a run: the same paths at each call, one for each class up to ten."""
    classes = backend.xp.arange(min(run.settings.classes, 10)) if run.settings.preset.conditional else None
    n = 6 if classes is None else len(classes)
    images = strips(training, backend.RNG((run.settings.seed, 3)), n, classes)
    rows = images.reshape(-1, *images.shape[2:])
    plots.save_grid(run.folder / "interpolation.png", rows, COLUMNS, class_names.captions(run.settings))

"""Interpolation between latent vectors. If images between two points look real, G has not only memorised examples.

A vector from N(0, 1) in d dimensions has a length near sqrt(d). The midpoint of two such vectors has only a length near
sqrt(d / 2), and such short vectors hardly occur in training. So the path is an arc (Shoemake 1985, "slerp"):
    (sin((1 - t) w) a + sin(t w) b) / sin w        t: from 0 to 1; w: the angle between a and b
"""

from .. import backend
from ..data import to_pixels
from . import class_names, plots

COLUMNS = 10  # images in a strip
FRAMES = 20  # images from one corner of a loop to the next
CORNERS = 3  # random latent vectors on a loop


def slerp(a, b, t):
    """Return the point at t, from 0 to 1, on the arc from a to b. a, b: (..., d)"""
    xp = backend.xp
    cosine = (a * b).sum(-1, keepdims=True) / xp.sqrt((a * a).sum(-1, keepdims=True) * (b * b).sum(-1, keepdims=True))
    angle = xp.arccos(xp.clip(cosine, -1.0, 1.0))
    straight = xp.sin(angle) < 1e-3  # a and b are on a line through 0: interpolate linearly
    sine = xp.where(straight, 1.0, xp.sin(angle))
    from_a = xp.where(straight, 1.0 - t, xp.sin((1.0 - t) * angle) / sine)
    from_b = xp.where(straight, t, xp.sin(t * angle) / sine)
    return from_a * a + from_b * b


def path_through(points, count):
    """Return `count` points (count, ..., d), in even steps on arcs from each of `points`, (K, ..., d), to the next."""
    positions = [i * (len(points) - 1) / (count - 1) for i in range(count)]
    arcs = [min(int(position), len(points) - 2) for position in positions]
    return backend.xp.stack([slerp(points[i], points[i + 1], position - i) for i, position in zip(arcs, positions)])


def strips(training, rng, n, classes=None):
    """Return images on n paths between random latent vectors: uint8 (n, COLUMNS, H, W, C). classes: (n,), or None."""
    latent = path_through(rng.normal((2, n, training.gan.latent_size)), COLUMNS)
    return drawn(training, latent, classes).swapaxes(0, 1)


def loops(training, rng, n, classes=None):
    """Return images on n closed paths through random corners, as frames: uint8 (CORNERS * FRAMES, n, H, W, C)."""
    corners = rng.normal((CORNERS, n, training.gan.latent_size))
    closed = backend.xp.concatenate([corners, corners[:1]])
    latent = path_through(closed, CORNERS * FRAMES + 1)[:-1]  # without the last point, which equals the first
    return drawn(training, latent, classes)


def drawn(training, latent, classes):
    """Return images, uint8 (count, n, H, W, C). latent: (count, n, d); classes: integers (n,), or None."""
    count, n, size = latent.shape
    if classes is not None:
        classes = classes.take(backend.xp.arange(count * n) % n)
    images = to_pixels(backend.to_host(training.sample(latent.reshape(count * n, size), classes)))
    return images.reshape(count, n, *images.shape[1:])


def save(run, training):
    """Write interpolation.png of a run: a path for each class, at most ten paths. Without classes, six paths."""
    classes = backend.xp.arange(min(run.settings.classes, 10)) if run.settings.preset.conditional else None
    n = 6 if classes is None else len(classes)
    images = strips(training, backend.RNG((run.settings.seed, 3)), n, classes)
    rows = images.reshape(-1, *images.shape[2:])
    plots.save_grid(run.folder / "interpolation.png", rows, COLUMNS, class_names.captions(run.settings))

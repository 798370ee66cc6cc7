"""Metrics that compare two sets of points by their nearest neighbours.

The ball of a point reaches to its k-th nearest neighbour in the same set. The balls of all points approximate the
support of the distribution (Kynkaanniemi et al. 2019, eq. 1-2; Naeem et al. 2020, eq. 3-4):
    precision   the fraction of samples in the ball of any real image: how many samples look real
    recall      the fraction of real images in the ball of any sample: how many real images can be generated
    density     the mean number of real balls that contain a sample, divided by k
    coverage    the fraction of real images whose ball contains a sample
If the samples were real images, the expected density would be 1, and the expected coverage 1 - 1/2^k.
"""

import numpy as np

from ..backend.cpu import threads

K = 5
BLOCK = 1 << 22  # distances that are computed at a time; 32 MiB in float64


def by_rows(function, a, b):
    """Divide the array a, (N, D), into slices of rows. Call function(distances, rows) for each, and return all results.

    distances: squared distances from a[rows] to all points of b, (M, D). They are computed as |a|^2 - 2 ab + |b|^2,
    because a matrix product is fast.
    """
    squares, columns = (b * b).sum(1), -2 * b.T

    def work(rows):
        block = a[rows] @ columns
        block += squares
        block += (a[rows] ** 2).sum(1)[:, None]
        return function(block.clip(0, out=block), rows)

    return threads.run(work, threads.cut(len(a), max(16, BLOCK // len(b))))


def radii(points, k=K):
    """Return the squared distance of each point to its k-th nearest other point: (N, D) -> (N,), N > k"""
    parts = by_rows(lambda block, _: np.partition(block, k, axis=1)[:, k], points, points)  # column 0: the point itself
    return np.concatenate(parts)


def compare(real, fake, real_radii, fake_radii, k=K):
    """Return {"precision": ..., "recall": ..., "density": ..., "coverage": ...} for features real (N, D), fake (M, D).

    real_radii: radii(real). fake_radii: radii(fake).
    """

    def count(block, rows):
        in_real, in_fake = block <= real_radii[rows, None], block <= fake_radii
        return in_real.sum(0), in_real.any(1), in_fake.any(1)

    balls, covered, recalled = zip(*by_rows(count, real, fake))
    balls = sum(balls)  # (M,): the number of real balls that contain each sample
    return {
        "precision": float((balls > 0).mean()),
        "recall": float(np.concatenate(recalled).mean()),
        "density": float(balls.mean() / k),
        "coverage": float(np.concatenate(covered).mean()),
    }


def nearest(images, among):
    """Return, for each image (N, ...), the index in `among` of the nearest image, and its L2 distance: (N,), (N,)

    To find copies, compare pixels: a copy and a similar image have nearly the same features. The search is in float32
    for speed. Each returned distance is computed once more, with a sum in float64.
    """
    a, b = (x.reshape(len(x), -1).astype(np.float32) for x in (images, among))
    columns = np.arange(len(a))

    def nearest_of(block, rows):
        here = block.argmin(0)
        return rows.start + here, block[here, columns]

    where, squares = map(np.array, zip(*by_rows(nearest_of, b, a)))  # (slices, N) each
    where = where[squares.argmin(0), columns]
    return where, np.sqrt(((a - b[where]) ** 2).sum(1, dtype=np.float64))

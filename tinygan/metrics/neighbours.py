"""Metrics that compare two sets of points by their nearest neighbours.

The k-ball of a point reaches to its k-th nearest neighbour in its own set; the balls of a set together approximate the
support of its distribution. Then (Kynkaanniemi et al. 2019, eq. 1-2; Naeem et al. 2020, eq. 3-4)
    precision   the share of samples in the ball of some real image: what is drawn looks real
    recall      the share of real images in the ball of some sample: what is real gets drawn
    density     how many real balls a sample lies in, over k: 1 expected of real images, and no outlier weighs much
    coverage    the share of real images whose ball holds a sample: 1 - 1/2^k expected of as many real images
"""

import numpy as np

from ..backend.cpu import threads

K = 5
BLOCK = 1 << 22  # distances of a block of rows: 32 MiB


def by_rows(function, a, b):
    """Return [function(squared distances (rows, M), rows)] for slices `rows` of a (N, D); distances to b (M, D).

    |a - b|^2 = |a|^2 - 2 ab + |b|^2: nearly all of the work is a product.
    """
    squares, columns = (b * b).sum(1), -2 * b.T

    def work(rows):
        block = a[rows] @ columns
        block += squares
        block += (a[rows] ** 2).sum(1)[:, None]
        return function(block.clip(0, out=block), rows)

    return threads.run(work, threads.cut(len(a), max(16, BLOCK // len(b))))


def radii(points, k=K):
    """Return the squared distance of each of points (N, D), N > k, to its k-th nearest other point."""
    parts = by_rows(lambda block, rows: np.partition(block, k, axis=1)[:, k], points, points)  # 0: the point itself
    return np.concatenate(parts)


def compare(real, fake, real_radii, fake_radii, k=K):
    """Return {"precision", "recall", "density", "coverage"} of features real (N, D) and fake (M, D), with radii."""

    def count(block, rows):
        in_real, in_fake = block <= real_radii[rows, None], block <= fake_radii
        return in_real.sum(0), in_real.any(1), in_fake.any(1)

    balls, covered, recalled = zip(*by_rows(count, real, fake))
    balls = sum(balls)  # (M,): how many real balls hold each sample
    return {
        "precision": float((balls > 0).mean()),
        "recall": float(np.concatenate(recalled).mean()),
        "density": float(balls.mean() / k),
        "coverage": float(np.concatenate(covered).mean()),
    }


def nearest(images, among):
    """Return the index of the nearest of `among` for each image, and its L2 distance: (N,), (N,).

    Distances are between pixels, because features cannot tell a copy from a similar image. The nearest image is found
    in float32 for speed; its distance is then computed exactly.
    """
    a, b = (x.reshape(len(x), -1).astype(np.float32) for x in (images, among))
    columns = np.arange(len(a))

    def nearest_of(block, rows):
        here = block.argmin(0)
        return rows.start + here, block[here, columns]

    where, squares = map(np.array, zip(*by_rows(nearest_of, b, a)))  # (blocks, N) each
    where = where[squares.argmin(0), columns]
    return where, np.sqrt(((a - b[where]) ** 2).sum(1, dtype=np.float64))

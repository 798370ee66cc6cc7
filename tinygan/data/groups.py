"""Groups of similar images, found without labels: k-means on principal components.

A conditional GAN can learn from such groups as if they were classes (Sage et al. 2018; Liu et al. 2020).
"""

import numpy as np

SUBSET = 10_000  # images that the principal components are computed from
CHUNK = 5_000  # images that are projected at a time
ROUNDS = 30  # of k-means, and of the iteration for the components


def find(images, k, components=50, seed=0):
    """Return the group of each image, uint8 (N, ...): integers (N,), from 0, the largest group, to at most k - 1.

    Groups that lost all their images are left out. The result depends on the arguments only.
    """
    rng = np.random.default_rng(seed)
    groups = kmeans(project(images, components, rng), k, rng)
    sizes = np.bincount(groups, minlength=k)
    rank = np.argsort(np.argsort(-sizes, kind="stable"))
    return rank[groups].astype(np.uint8)


def project(images, n, rng):
    """Return the first n principal components of images (N, ...): (N, n), or fewer for small images.

    The principal components are the directions of the largest variance. Subspace iteration finds them: multiply n
    random directions with the covariance matrix and make them orthogonal, again and again.
    """
    rows = images.reshape(len(images), -1)
    n = min(n, *rows.shape)
    part = rows[np.sort(rng.permutation(len(rows))[:SUBSET])].astype(np.float32)
    mean = part.mean(0)
    part -= mean
    directions = rng.standard_normal((rows.shape[1], n), np.float32)
    for _ in range(ROUNDS):
        directions, _ = np.linalg.qr(part.T @ (part @ directions))
    return np.concatenate([(rows[i : i + CHUNK] - mean) @ directions for i in range(0, len(rows), CHUNK)])


def kmeans(points, k, rng):
    """Return the cluster of each of points (N, D): integers (N,) below k        (Lloyd 1982)

    Each round moves every centre to the mean of the points that are nearest to it. The first centres are points far
    from each other: each is drawn with a probability that grows with its squared distance from those before it
    (k-means++, Arthur & Vassilvitskii 2007).
    """
    centres = points[rng.integers(len(points), size=1)]
    distances = np.full(len(points), np.inf)
    while len(centres) < k:
        distances = np.minimum(distances, ((points - centres[-1]) ** 2).sum(1))
        if not distances.any():  # fewer different points than centres
            break
        centres = np.append(centres, points[rng.choice(len(points), 1, p=distances / distances.sum())], 0)
    for _ in range(ROUNDS):
        nearest = ((centres**2).sum(1) - 2 * points @ centres.T).argmin(1)
        centres = np.stack([
            points[nearest == i].mean(0) if (nearest == i).any() else centre for i, centre in enumerate(centres)
        ])  # fmt: skip
    return nearest

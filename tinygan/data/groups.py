"""Groups of similar images, found without labels by k-means on principal components.

A conditional GAN can use such groups as classes (Sage et al. 2018; Liu et al. 2020).
"""

import numpy as np

SUBSET = 10_000  # at most this many images are used to compute the principal components
CHUNK = 5_000  # images that are projected at a time
ROUNDS = 30  # rounds of k-means, and of the subspace iteration


def find(images, k, components=50, seed=0):
    """Return the number of the group of each image: uint8 (N, ...) -> (N,). Group 0 is the largest.

    There are at most k groups; empty groups are left out. The same arguments give the same result.
    """
    rng = np.random.default_rng(seed)
    groups = kmeans(project(images, components, rng), k, rng)
    sizes = np.bincount(groups, minlength=k)
    rank = np.argsort(np.argsort(-sizes, kind="stable"))
    return rank[groups].astype(np.uint8)


def project(images, n, rng):
    """Return the first n principal components of images: (N, ...) -> (N, n). Small images have fewer components.

    Principal components are coordinates along the directions of the largest variance. Subspace iteration finds these
    directions: it multiplies n random directions by the covariance matrix and makes them orthogonal, many times.
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
    """Return the number of the cluster of each point, below k: (N, D) -> (N,)        (Lloyd 1982)

    Each round moves every centre to the mean of the points that are nearest to it. The initial centres are points, and
    are chosen one after the other. The probability of a point is proportional to its squared distance from the nearest
    centre so far (k-means++, Arthur & Vassilvitskii 2007).
    """
    centres = points[rng.integers(len(points), size=1)]
    distances = np.full(len(points), np.inf)
    while len(centres) < k:
        distances = np.minimum(distances, ((points - centres[-1]) ** 2).sum(1))
        if not distances.any():  # there are fewer different points than k
            break
        centres = np.append(centres, points[rng.choice(len(points), 1, p=distances / distances.sum())], 0)
    for _ in range(ROUNDS):
        nearest = ((centres**2).sum(1) - 2 * points @ centres.T).argmin(1)
        centres = np.stack([
            points[nearest == i].mean(0) if (nearest == i).any() else centre for i, centre in enumerate(centres)
        ])  # fmt: skip
    return nearest

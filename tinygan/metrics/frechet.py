"""The Frechet distance of two sets of features, each treated as a Gaussian        (Dowson & Landau 1982, eq. 4)

    d = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))        m: means (D,), S: covariances (D, D)

An FID is this distance for the features of a certain Inception network; with other features d is not an FID. The
distance has a floor above 0: two sets of n images from the same distribution differ by chance. Their distance is of
the order of 1 / n. So compare the distance of n samples only with distances of n images.
"""

import numpy as np


def moments(features):
    """Return the mean (D,) and covariance (D, D) of features (N, D), N at least 2."""
    return features.mean(0), np.cov(features, rowvar=False).reshape(features.shape[1], -1)


def frechet(moments1, moments2):
    """Return the distance of two Gaussians, (mean, covariance) each.

    tr (S1 S2)^(1/2) is computed as tr (R S2 R)^(1/2) with R = S1^(1/2). S1 S2 and R S2 R have the same eigenvalues, and
    R S2 R is symmetric, so its square root is real. Eigenvalues that are negative by rounding are set to zero.
    """
    (m1, s1), (m2, s2) = moments1, moments2
    values, vectors = np.linalg.eigh(s1)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ s2 @ root).clip(0)).sum()
    return float(((m1 - m2) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * cross)

"""The Frechet distance of two sets of features, each treated as a Gaussian        (Dowson & Landau 1982, eq. 4)

    d = |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))        m: means (D,), S: covariances (D, D)

It is not an FID: that is this formula on the features of one Inception network. It has a floor: two samples of n from
one distribution differ by chance, and d between them is of the size of 1/n. So it is read beside the distance of as
many real images, and never across different n.
"""

import numpy as np


def moments(features):
    """Return the mean (D,) and covariance (D, D) of features (N, D), N at least 2."""
    return features.mean(0), np.cov(features, rowvar=False).reshape(features.shape[1], -1)


def frechet(moments1, moments2):
    """Return the distance of two Gaussians, (mean, covariance) each.

    tr (S1 S2)^(1/2) = tr (R S2 R)^(1/2) with R = S1^(1/2): the same eigenvalues, of a symmetric matrix now, so that
    no complex root appears. Eigenvalues that rounding made negative are zero.
    """
    (m1, s1), (m2, s2) = moments1, moments2
    values, vectors = np.linalg.eigh(s1)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ s2 @ root).clip(0)).sum()
    return float(((m1 - m2) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * cross)

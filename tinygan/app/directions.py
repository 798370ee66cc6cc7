"""Directions of the latent space, ordered by how much they change the image; compare GANSpace (Härkönen et al. 2020).

Fit images x = G(z) linearly by latent vectors z ~ N(0, I): x is about z B. With the least squared error, B is the mean
derivative of G, E[dG/dz] (Stein 1981). The singular value decomposition B = U S V^T gives orthogonal directions of z,
the columns of U. The first direction changes the image most, on average.
"""

from __future__ import annotations

import numpy as np

from .. import backend
from ..gan.training import Training
from .export import Generator

SAMPLES = 1024  # images for the linear fit
CERTAIN = 0.5  # a direction is named after a property only if their correlation is at least this


def principal(training: Training, network: Generator) -> tuple[np.ndarray, list[str]]:
    """Return U (latent_size, latent_size), with a direction in each column, and their names; "" for no name."""
    latent = backend.RNG(0).normal((SAMPLES, network.latent_size))
    classes = np.arange(SAMPLES) % max(1, network.classes)
    images = backend.to_host(training.sample(latent, backend.to_device(classes) if network.classes else None))
    z, x = backend.to_host(latent), without_class_means(images.reshape(SAMPLES, -1), classes)
    slopes = np.linalg.solve(z.T @ z, z.T @ x)  # B, by least squares
    directions = np.linalg.svd(slopes @ slopes.T)[0]  # B B^T has the same U as B, and is smaller
    if len(network.shape) == 1 or network.shape[2] != 1:  # only grey images have the properties below
        return directions, [""] * network.latent_size
    found = properties((images[..., 0] + 1) / 2)
    measured = without_class_means(np.stack(list(found.values()), 1), classes)
    correlation = (z @ directions).T @ (measured / (measured.std(0) + 1e-9)) / SAMPLES
    best = np.abs(correlation).argmax(0)  # for each property, the direction with the largest correlation
    names = [""] * network.latent_size
    for column, name in enumerate(found):
        row = best[column]
        if abs(correlation[row, column]) >= CERTAIN and np.abs(correlation[row]).argmax() == column:
            names[row] = name
            directions[:, row] *= np.sign(correlation[row, column])
    return directions, names


def properties(ink: np.ndarray) -> dict[str, np.ndarray]:
    """Return {name: (N,)} for bright shapes `ink`, (N, H, W): slant to the right, thickness (all ink), and width."""
    height, width = ink.shape[1:]
    y, x = np.mgrid[:height, :width]
    total = ink.sum((1, 2)) + 1e-9

    def mean(values):
        return (ink * values).sum((1, 2)) / total

    dx, dy = x - mean(x)[:, None, None], y - mean(y)[:, None, None]
    return {"slant": -mean(dx * dy) / (mean(dy * dy) + 1e-9), "thickness": total, "width": np.sqrt(mean(dx * dx))}


def without_class_means(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Subtract from each row of `values` (N, ...) the mean of the rows of the same class. classes: integers (N,)"""
    means = np.stack([values[classes == each].mean(0) for each in range(classes.max() + 1)])
    return values - means[classes]


def rotated(network: Generator, directions: np.ndarray) -> Generator:
    """Return the network as a function of the coordinates c along `directions` U, with z = U c.

    Let W be the part of the first weight matrix that multiplies z. It becomes U^T W, and nothing else changes. U is
    orthogonal, so c ~ N(0, I) like z.
    """
    first, *others = network.operations
    weight = first.arrays["weight"].copy()
    weight[: network.latent_size] = directions.T @ weight[: network.latent_size]
    return network._replace(operations=[first._replace(arrays={**first.arrays, "weight": weight}), *others])

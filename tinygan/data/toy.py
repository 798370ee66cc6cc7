"""Toy data: points in the plane. A plot shows which modes of the data a GAN finds, and which it drops.

    ring: 8 Gaussians on a circle        grid: 25 Gaussians on a lattice        spiral: a curve with two arms
Points are within about [-2.5, 2.5]^2. Each Gaussian is a mode, with a standard deviation of 0.05 in both directions.
"""

import numpy as np

from .dataset import Dataset

WORLDS = ("ring", "grid", "spiral")
SIZE = 6_400  # points in a data set: 50 batches of 128
SIGMA = 0.05  # standard deviation of a mode, in each direction


def load(world):
    """Return the points of "ring", "grid" or "spiral", float32 (N, 2), as a Dataset."""
    rng = np.random.default_rng(0)
    points = centres(world)[rng.integers(len(centres(world)), size=SIZE)]
    points = points + SIGMA * rng.standard_normal(points.shape)
    return Dataset(points.astype(np.float32), None, world)


def centres(world):
    """Return the centres of the modes, (M, 2). For the spiral they are 800 points along its arms."""
    if world == "ring":
        angle = 2 * np.pi * np.arange(8) / 8
        return np.stack([np.cos(angle), np.sin(angle)], 1) * 2
    if world == "grid":
        side = np.linspace(-2, 2, 5)
        return np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    t = np.linspace(0.15, 1, 400)
    arm = 2.25 * t[:, None] * np.stack([np.cos(3 * np.pi * t), np.sin(3 * np.pi * t)], 1)
    return np.concatenate([arm, -arm])


def judge(world, points):
    """Return (covered modes, number of modes, fraction of good samples) for generated points (N, 2).

    A sample is good if it is within 3 sigma of the nearest centre. A mode is covered if it has at least 0.2 N / M good
    samples, where M is the number of modes. The spiral is divided into 40 modes.
    """
    c = centres(world)
    distance = np.sqrt(((points[:, None] - c) ** 2).sum(-1))
    nearest, good = distance.argmin(1), distance.min(1) < 3 * SIGMA
    modes = len(c) if world != "spiral" else 40
    count = np.bincount(nearest[good] * modes // len(c), minlength=modes)
    return int((count >= 0.2 * len(points) / modes).sum()), modes, float(good.mean())

"""Worlds of points in the plane, in which one can see which modes a GAN finds and which it drops.

    ring: eight Gaussians on a circle        grid: twenty-five on a lattice        spiral: a curve of two arms
Points lie within about [-2.5, 2.5]^2; each mode has a standard deviation of 0.05 in both directions.
"""

import numpy as np

from .idx import Dataset

WORLDS = ("ring", "grid", "spiral")
SIZE = 6_400  # points in a world: 50 batches of 128
SIGMA = 0.05  # standard deviation around the centre of a mode, in each direction


def load(world):
    """Return the points of a world, float32 (N, 2), as a Dataset."""
    rng = np.random.default_rng(0)
    points = centres(world)[rng.integers(len(centres(world)), size=SIZE)]
    points = points + SIGMA * rng.standard_normal(points.shape)
    return Dataset(points.astype(np.float32), None, world)


def centres(world):
    """Return the centres of the modes of a world, (M, 2); for the spiral, many points along its arms."""
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
    """Return (modes covered, number of modes, share of good samples) for generated points (N, 2).

    A sample is good within 3 sigma of the nearest centre; a mode is covered if its good samples are
    at least a fifth of an even share of all samples. Of the spiral, 40 stretches of the curve count as modes.
    """
    c = centres(world)
    distance = np.sqrt(((points[:, None] - c) ** 2).sum(-1))
    nearest, good = distance.argmin(1), distance.min(1) < 3 * SIGMA
    modes = len(c) if world != "spiral" else 40
    count = np.bincount(nearest[good] * modes // len(c), minlength=modes)
    return int((count >= 0.2 * len(points) / modes).sum()), modes, float(good.mean())

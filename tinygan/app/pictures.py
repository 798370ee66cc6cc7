"""The pictures of a run: samples at some steps (schedule.py), always from the same latent vectors, and curves."""

import math

import numpy as np

from .. import backend, data
from . import class_names, plots, worlds
from .runs import LOG_COLUMNS, Run
from .schedule import spread
from .settings import Settings

SAMPLES = 64  # images in a grid without classes; with classes, a grid has ten images of each class
GROUPS = 10  # groups in a grid, at most: the largest ones
POINTS = 1000  # points in a picture of toy data
FRAMES = 60  # frames of an animation, at most


def fixed_inputs(settings: Settings):
    """Return the inputs of G for each grid of samples: latent vectors (N, latent_size), and classes (N,) or None."""
    p = settings.preset
    rows = min(settings.classes, GROUPS) if settings.groups else settings.classes
    n = rows * 10 if p.conditional else POINTS if settings.points else SAMPLES
    latent = backend.RNG((settings.seed, 1)).normal((n, p.latent_size))
    return latent, backend.xp.arange(n) // 10 if p.conditional else None


def save(run: Run, training, step: int) -> None:
    """Write samples/step_<n>.png."""
    run.samples.mkdir(exist_ok=True)
    path = run.samples / f"step_{step:07d}.png"
    generated = backend.to_host(training.sample(*fixed_inputs(run.settings)))
    if run.settings.points:
        worlds.save_snapshot(path, training.gan, run.settings.data, generated, f"step {step}")
    else:
        columns = 10 if run.settings.preset.conditional else None
        plots.save_grid(path, data.to_pixels(generated), columns, class_names.captions(run.settings))


def save_curves(run: Run, log, quality) -> None:
    """Write curves.png, if the log is not empty. log, quality: the rows of log.csv and of quality.csv."""
    if log:
        measured = [(step, multiple) for step, _, _, multiple in quality if math.isfinite(multiple)]
        plots.save_curves(run.folder / "curves.png", dict(zip(LOG_COLUMNS, np.array(log).T)), measured)


def save_animation(run: Run) -> None:
    """Write progress.gif, an animation of the pictures. Each frame names its step; a toy world's picture does so."""
    found = spread(list(run.pictures().items()), FRAMES)
    frames = [path if run.settings.points else plots.named(path, f"step {step}") for step, path in found]
    if frames:
        plots.save_gif(run.folder / "progress.gif", frames)

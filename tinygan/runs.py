"""The folder of a run: what was asked for (config.json), what happened (log.csv, samples/), and where to go on from.

config.json holds the settings that repeat the run; build() makes its GAN from them.
"""

import csv
import json
import platform
import time
from pathlib import Path

import numpy as np

from . import backend, checkpoint, plots, presets
from .data import to_pixels
from .gan import METRICS

LOG_COLUMNS = ("step", "epoch", *METRICS)


class RunError(ValueError):
    """A run folder that cannot be used; the message names it and what is wrong."""


class Run:
    """A run folder and the settings in it.

    settings: a dict that survives JSON, with "preset", "image_shape", "seed", "device" and the fields of the preset
    that may be overridden (OVERRIDES).
    """

    OVERRIDES = ("lr", "batch_size", "dropout", "epochs")

    def __init__(self, folder, settings):
        self.folder, self.settings = Path(folder), settings

    @classmethod
    def create(cls, settings, out=None):
        """A new run in the folder `out`, or in runs/<preset>-<date>-<n>. Raises RunError where there is one already."""
        if out is None:
            stem = f"runs/{settings['preset']}-{time.strftime('%Y%m%d')}"
            out = next(p for n in range(1, 10**6) if not (p := Path(f"{stem}-{n}")).exists())
        run = cls(out, settings)
        if run.config.exists():
            raise RunError(
                f"{run.folder} holds a run already: go on with --resume {run.folder}, or choose another --out"
            )
        run.samples.mkdir(parents=True, exist_ok=True)
        versions = {"python": platform.python_version(), "numpy": np.__version__}
        run.config.write_text(json.dumps({**settings, "versions": versions}, indent=2) + "\n")
        run.write_log([])
        return run

    @classmethod
    def open(cls, folder):
        """The run in a folder. Raises RunError when there is none."""
        path = Path(folder) / "config.json"
        try:
            settings = json.loads(path.read_text())
            if settings["preset"] not in presets.PRESETS or any(key not in settings for key in cls.OVERRIDES):
                raise KeyError("preset")
        except FileNotFoundError:
            raise RunError(f"{folder} is not a run: there is no config.json in it") from None
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} is not what this version of train.py writes ({error})") from None
        return cls(folder, settings)

    config = property(lambda self: self.folder / "config.json")
    log = property(lambda self: self.folder / "log.csv")
    samples = property(lambda self: self.folder / "samples")
    checkpoint = property(lambda self: self.folder / "checkpoint.npz")

    def build(self):
        """The GAN of this run, untrained."""
        overrides = {key: self.settings[key] for key in self.OVERRIDES}
        preset = presets.PRESETS[self.settings["preset"]]._replace(**overrides)
        return presets.build(preset, tuple(self.settings["image_shape"]), self.settings["seed"])

    def read_log(self, until):
        """The rows of log.csv up to step `until`, as tuples of numbers in the order of LOG_COLUMNS."""
        with open(self.log, newline="") as file:
            rows = [(int(step), int(epoch), *map(float, rest)) for step, epoch, *rest in list(csv.reader(file))[1:]]
        return [row for row in rows if row[0] <= until]

    def write_log(self, rows):
        """log.csv anew, from all its rows."""
        with open(self.log, "w", newline="") as file:
            csv.writer(file).writerows([LOG_COLUMNS, *rows])

    def save_pictures(self, gan, latent, rows, epoch):
        """The grid of the fixed latent points as they look now, and the curves so far."""
        images = to_pixels(backend.to_host(gan.sample(latent)))
        plots.save_grid(self.samples / f"epoch_{epoch:04d}.png", images)
        if rows:
            plots.save_curves(self.folder / "curves.png", dict(zip(LOG_COLUMNS, np.array(rows).T)))

    def save(self, **parts):
        checkpoint.save(self.checkpoint, parts)

    def load(self, **parts):
        checkpoint.load(self.checkpoint, parts)

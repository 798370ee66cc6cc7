"""The folder of a run: what was asked for (config.json), what happened (log.csv, samples/), and where to go on from.

config.json holds the settings that repeat the run; build() makes its training from them.
"""

import csv
import io
import json
import platform
import time
from pathlib import Path

import numpy as np

from . import backend, checkpoint, data, plots, presets, worlds
from .health import METRICS

LOG_COLUMNS = ("step", "epoch", *METRICS)
OPTIONS = presets.Preset._fields[2:]  # all but the two networks, which are functions
SAMPLES = 64  # images in a sample grid; ten of each class where the classes are chosen


class RunError(ValueError):
    """A run folder that cannot be used; the message names it and what is wrong."""


class Run:
    """A run folder and the settings in it.

    settings: a dict that survives JSON: "preset", "data", "shape", "classes", "seed", "device", and OPTIONS, the
    fields of the preset as they really ran.
    """

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
            raise RunError(f"{run.folder} holds a run already: --resume {run.folder}, or choose another --out")
        run.samples.mkdir(parents=True, exist_ok=True)
        run.write_config()
        run.write_log([])
        return run

    def write_config(self):
        """config.json from the settings, and the versions in use."""
        versions = {"python": platform.python_version(), "numpy": np.__version__}
        checkpoint.write_text(self.config, json.dumps({**self.settings, "versions": versions}, indent=2) + "\n")

    @classmethod
    def open(cls, folder):
        """The run in a folder. Raises RunError when there is none."""
        path = Path(folder) / "config.json"
        try:
            settings = json.loads(path.read_text())
            missing = {"preset", "data", "shape", "classes", "seed", *OPTIONS} - settings.keys()
            if missing or settings["preset"] not in presets.PRESETS:
                raise KeyError(*sorted(missing)[:1])
        except FileNotFoundError:
            raise RunError(f"{folder} is not a run: there is no config.json in it") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{path} is not what this version of train.py writes ({error})") from None
        return cls(folder, settings)

    config = property(lambda self: self.folder / "config.json")
    log = property(lambda self: self.folder / "log.csv")
    samples = property(lambda self: self.folder / "samples")
    checkpoint = property(lambda self: self.folder / "checkpoint.npz")

    @property
    def preset(self):
        """The preset with the options of this run."""
        options = {key: self.settings[key] for key in OPTIONS}
        return presets.PRESETS[self.settings["preset"]]._replace(**{**options, "betas": tuple(options["betas"])})

    def build(self):
        """The training of this run as it is before the first step."""
        s = self.settings
        return presets.build(self.preset, tuple(s["shape"]), s["seed"], s["classes"])

    def batches(self, dataset):
        """The data as this run takes it."""
        p = self.preset
        return data.Batches(dataset, p.batch_size, self.settings["seed"], p.n_critic, p.conditional)

    def read_log(self, until):
        """The whole rows of log.csv up to step `until`, as tuples of numbers in the order of LOG_COLUMNS."""
        with open(self.log, newline="") as file:
            cells = [row for row in list(csv.reader(file))[1:] if len(row) == len(LOG_COLUMNS)]
        rows = [(int(step), int(epoch), *map(float, rest)) for step, epoch, *rest in cells]
        return [row for row in rows if row[0] <= until]

    def write_log(self, rows):
        """log.csv anew, from all its rows."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([LOG_COLUMNS, *rows])
        checkpoint.write_text(self.log, text.getvalue())

    def fixed_inputs(self):
        """The latent points, and the classes or None, of the pictures of every epoch: always the same ones."""
        p, points = self.preset, len(self.settings["shape"]) == 1
        n = self.settings["classes"] * 10 if p.conditional else 1000 if points else SAMPLES
        latent = backend.Generator((self.settings["seed"], 1)).normal((n, p.latent_size))
        return latent, backend.xp.arange(n) // 10 if p.conditional else None

    def save_pictures(self, training, inputs, rows, epoch):
        """What the fixed latent points look like now, and the curves so far."""
        path = self.samples / f"epoch_{epoch:04d}.png"
        generated = backend.to_host(training.sample(*inputs))
        if generated.ndim == 2:
            worlds.save_snapshot(path, training.gan, self.settings["data"], generated, f"epoch {epoch}")
        else:
            plots.save_grid(path, data.to_pixels(generated), 10 if self.preset.conditional else None)
        if rows:
            plots.save_curves(self.folder / "curves.png", dict(zip(LOG_COLUMNS, np.array(rows).T)))

    def save_animation(self):
        """The pictures of all epochs, one after the other."""
        if pictures := sorted(self.samples.glob("epoch_*.png")):
            plots.save_gif(self.folder / "progress.gif", pictures)

    def save(self, **parts):
        checkpoint.save(self.checkpoint, parts)

    def load(self, **parts):
        checkpoint.load(self.checkpoint, parts)

    def load_generator(self, training):
        """Only what samples are drawn from, so that a run can be sampled on another device than it was trained on."""
        checkpoint.load(self.checkpoint, {f"training.{k}": part for k, part in training.sampling_parts().items()})

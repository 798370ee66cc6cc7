"""The folder of a run: what was asked for (config.json), what happened (log.csv, samples/), and where to go on from.

config.json holds the settings that repeat the run; build() makes its training from them. log.csv holds nothing that
depends on the clock, so that it can be compared; how long things took is in timings.csv.
"""

import csv
import io
import itertools
import json
import math
import os
import platform
import subprocess
import time
import weakref
from importlib import metadata
from pathlib import Path

import numpy as np

from .. import backend, data, files
from ..gan import presets
from ..gan.health import METRICS
from . import checkpoint, plots, worlds

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LOG_COLUMNS = ("step", "epoch", *METRICS)
TIMINGS_COLUMNS = ("step", "epoch", "seconds")  # that the steps since the row before took
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
    def create(cls, settings, out=None, **parts):
        """A new run in the folder `out`, or in runs/<preset>-<date>-<n>, with `parts` as its first checkpoint.

        config.json is written last: with it the folder is a run. Raises RunError where there is one already, and where
        nothing can be written.
        """
        try:
            run = cls(out or new_folder(f"runs/{settings['preset']}-{time.strftime('%Y%m%d')}"), settings)
            if run.config.exists():
                raise RunError(f"{run.folder} holds a run already: --resume {run.folder}, or choose another --out")
            for folder in (run.samples, run.checkpoint):
                folder.mkdir(parents=True, exist_ok=True)
            run.claim()
            run.write_rows([], [])
            run.save(**parts)
            run.write_config()
        except OSError as error:
            raise RunError(f"no run can be written to {error.filename or out} ({error.strerror})") from None
        return run

    def claim(self):
        """From here on no other process can train this run: raises RunError in the one that tries. The system keeps the
        claim, and forgets it with this process, however that ends; systems and disks without such locks keep none."""
        if fcntl:
            folder = os.open(self.folder, os.O_RDONLY)
            weakref.finalize(self, os.close, folder)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(f"{self.folder} is being trained by another process: wait for it, or stop it") from None
            except OSError:
                pass

    def write_config(self):
        """config.json from the settings, and what runs them."""
        versions = {"python": platform.python_version(), "tinygan": tinygan_version(), "numpy": np.__version__}
        versions[backend.xp.__name__] = getattr(backend.xp, "__version__", None)  # numpy again, or cupy
        settings = {**self.settings, "versions": versions, "kernels": backend.kernels(), "commit": commit()}
        files.write_text(self.config, json.dumps(settings, indent=2) + "\n")

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
        except OSError as error:
            raise RunError(f"{folder} is not a run that can be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{path} is not what this version of train.py writes ({error})") from None
        return cls(folder, settings)

    config = property(lambda self: self.folder / "config.json")
    log = property(lambda self: self.folder / "log.csv")
    timings = property(lambda self: self.folder / "timings.csv")
    samples = property(lambda self: self.folder / "samples")
    checkpoint = property(lambda self: self.folder / "checkpoint")

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

    def read_rows(self, until=math.inf):
        """The whole rows of log.csv and of timings.csv up to step `until`, as tuples of numbers."""
        return read_table(self.log, LOG_COLUMNS, until), read_table(self.timings, TIMINGS_COLUMNS, until)

    def write_rows(self, log, timings):
        """log.csv and timings.csv anew, from all their rows."""
        write_table(self.log, LOG_COLUMNS, log)
        write_table(self.timings, TIMINGS_COLUMNS, timings)

    def fixed_inputs(self):
        """The latent points, and the classes or None, of the pictures of every epoch: always the same ones."""
        p, points = self.preset, len(self.settings["shape"]) == 1
        n = self.settings["classes"] * 10 if p.conditional else 1000 if points else SAMPLES
        latent = backend.RNG((self.settings["seed"], 1)).normal((n, p.latent_size))
        return latent, backend.xp.arange(n) // 10 if p.conditional else None

    def save_pictures(self, training, inputs, log, quality, epoch):
        """What the fixed latent points look like now, and the curves so far: the rows of log.csv and quality.csv."""
        path = self.samples / f"epoch_{epoch:04d}.png"
        generated = backend.to_host(training.sample(*inputs))
        if generated.ndim == 2:
            worlds.save_snapshot(path, training.gan, self.settings["data"], generated, f"epoch {epoch}")
        else:
            plots.save_grid(path, data.to_pixels(generated), 10 if self.preset.conditional else None)
        if log:
            measured = [(step, multiple) for step, _, _, multiple in quality]
            plots.save_curves(self.folder / "curves.png", dict(zip(LOG_COLUMNS, np.array(log).T)), measured)

    def save_animation(self):
        """The pictures of all epochs, one after the other."""
        if pictures := sorted(self.samples.glob("epoch_*.png")):
            plots.save_gif(self.folder / "progress.gif", pictures)

    def save(self, name="last", **parts):
        """checkpoint/<name>.npz; the one before it is kept."""
        checkpoint.save(self.checkpoint / f"{name}.npz", parts, self._about())

    def load(self, name="last", **parts):
        """Put the parts of checkpoint/<name>.npz back. Returns the training step it is of."""
        return int(checkpoint.load(self.checkpoint / f"{name}.npz", parts, self._about())["training.steps"][0])

    def load_generator(self, training, name="last"):
        """Only what samples are drawn from, so that a run can be sampled on another device than it was trained on.
        Returns the training step."""
        return self.load(name, **{f"training.{key}": part for key, part in training.sampling_parts().items()})

    def _about(self):
        return {"preset": self.settings["preset"]}


def new_folder(stem):
    """The first of <stem>-1, <stem>-2, ... that was not there, made."""
    for n in itertools.count(1):
        try:
            (folder := Path(f"{stem}-{n}")).mkdir(parents=True)
            return folder
        except FileExistsError:
            pass


def read_table(path, columns, until):
    """The whole rows of a .csv up to step `until`, as tuples of numbers: step, epoch, and the rest."""
    try:
        with open(path, newline="") as file:
            cells = [row for row in list(csv.reader(file))[1:] if len(row) == len(columns)]
        rows = [(int(step), int(epoch), *map(float, rest)) for step, epoch, *rest in cells]
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not as it was written ({error})") from None
    return [row for row in rows if row[0] <= until]


def write_table(path, columns, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    files.write_text(path, text.getvalue())


def tinygan_version():
    """That of the installed package; None for a clone that is not installed."""
    try:
        return metadata.version("tinygan")
    except metadata.PackageNotFoundError:
        return None


def commit():
    """The git commit of this code, with "-dirty" behind it where files are changed; None outside a clone."""
    root = Path(__file__).parent.parent.parent
    if not (root / ".git").exists():
        return None
    words = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=10).stdout.strip() or None
    except (OSError, subprocess.TimeoutExpired):
        return None

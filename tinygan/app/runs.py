"""The folder of a run: settings (config.json), logs, samples and checkpoints.

Times are only in timings.csv. So two runs with the same results have the same log.csv.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import math
import os
import platform
import re
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from .. import backend, files
from ..backend import distributed
from ..data import Dataset, NotThere
from ..gan.health import METRICS
from ..version import VERSION
from . import checkpoint
from .settings import Settings

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOG_COLUMNS = ("step", "epoch", *METRICS)
TIMINGS_COLUMNS = ("step", "epoch", "seconds")  # seconds: the time of the steps since the previous row
BEGUN = {  # the possible files in the folder of a run that was killed before it wrote config.json
    "samples", "checkpoint", "log.csv", "timings.csv", "log.csv.tmp", "timings.csv.tmp", "config.json.tmp",
    "groups.npz",  # of older versions
}  # fmt: skip
UNFINISHED = ("*.*.tmp", "samples/*.*.tmp", "checkpoint/*.*.tmp")
PICTURE = re.compile(r"(step|epoch)_(\d{4,15})\.png")  # older versions named a picture by its epoch
WORD = re.compile(r"[\w.+-]{1,80}", re.ASCII)


class RunError(ValueError):
    """A run folder that cannot be used. The message names the folder and the problem."""


class Run:
    """The folder of a run, and its settings. about: what the function computed_by returned when the run was trained."""

    def __init__(self, folder: str | Path, settings: Settings, about: dict[str, Any] | None = None) -> None:
        self.folder, self.settings, self.about = Path(folder), settings, about or {}

    @classmethod
    def create(cls, settings: Settings, out: str | Path | None = None, **parts) -> Run:
        """Create a run in the folder `out`, by default runs/<preset>-<date>-<n>.

        parts: the content of the first checkpoint, {name: object with state_dict()}. config.json is written last: a
        folder without it is not a run. Raises RunError if the folder already contains a run, and if it cannot be
        written. If several processes train together, only process 0 writes files, here and in all other methods.
        """
        if distributed.rank:
            return cls(out or "", settings)
        try:
            run = cls(out or new_folder(f"runs/{settings.name}-{time.strftime('%Y%m%d')}"), settings)
            if run.config.exists():
                raise RunError(f"{run.folder} already has a run: use --resume {run.folder}, or choose another --out")
            if run.folder.is_dir() and (foreign := sorted({path.name for path in run.folder.iterdir()} - BEGUN)):
                raise RunError(f"{run.folder} contains other files ({foreign[0]}): choose another --out")
            for folder in (run.samples, run.checkpoint):
                folder.mkdir(parents=True, exist_ok=True)
            run.lock()
            run.write_rows([], [])
            run.save(**parts)
            run.write_config()
        except OSError as error:
            advice = "" if out else ": choose a folder with --out"
            raise RunError(f"cannot write a run to {error.filename or out} ({error.strerror}){advice}") from None
        return run

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """Return the run in a folder. Raises RunError if the folder is not a run."""
        path = Path(folder) / "config.json"
        try:
            values = json.loads(path.read_text("utf-8"))
            return cls(folder, Settings.from_json(values), known_about(values))
        except FileNotFoundError:
            raise RunError(f"{folder} is not a run: it has no config.json") from None
        except OSError as error:
            raise RunError(f"{folder} is not a run that can be read ({error.strerror})") from None
        except (ValueError, RecursionError) as error:  # RecursionError: the JSON is nested too deeply
            raise RunError(f"{path} was not written by this version of train.py: {error}") from None

    def dataset(self) -> Dataset:
        """Read the data of this run. Prints a warning to stderr if the data has changed since the run began.

        Raises DataError if the data cannot be read. Raises RunError if the data is missing, or has another shape or
        other classes.
        """
        s = self.settings
        try:
            dataset = s.dataset()
        except NotThere as error:
            raise RunError(f"{error}. If the data was moved, give its new path with --data") from None
        classes = s.classes if s.groups or s.no_labels else dataset.classes
        if (dataset.images.shape[1:], classes) != (s.shape, s.classes):
            raise RunError(f"{self.folder} was trained on data with another shape or other classes than {dataset.name}")
        if s.data_sha256 not in (None, dataset.sha256):
            print(f"the data in {s.data} has changed since this run began", file=sys.stderr)
        return dataset

    @distributed.by_process_0
    def lock(self) -> None:
        """Lock the run, so that no other process trains it. Raises RunError if another process has locked it.

        The operating system releases the lock when this process ends, for any reason. On systems and disks without
        locks, the run is not locked. Also raises RunError if a folder in the run is a link.
        """
        for name in ("samples", "checkpoint"):
            self.inner_folder(name)
        if fcntl:
            folder = os.open(self.folder, os.O_RDONLY)
            weakref.finalize(self, os.close, folder)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(f"another process is training {self.folder}: wait for it, or stop it") from None
            except OSError:
                pass

    @distributed.by_process_0
    def remove_unfinished(self) -> None:
        """Remove files that were not finished because a process was killed (files.py). Call this after `lock`."""
        for path in (path for pattern in UNFINISHED for path in self.folder.glob(pattern)):
            with contextlib.suppress(OSError):
                path.unlink()

    @distributed.by_process_0
    def write_config(self) -> None:
        """Write config.json: the settings, and the versions of the software."""
        self.about = computed_by()
        files.write_text(self.config, json.dumps({**self.settings.to_json(), **self.about}, indent=2) + "\n")

    config = property(lambda self: self.folder / "config.json")
    log = property(lambda self: self.folder / "log.csv")
    timings = property(lambda self: self.folder / "timings.csv")
    samples = property(lambda self: self.inner_folder("samples"))
    checkpoint = property(lambda self: self.inner_folder("checkpoint"))

    def inner_folder(self, name: str) -> Path:
        """Return the path of a folder in the run. Raises RunError for a link, which could lead to another folder."""
        path = self.folder / name
        if path.is_symlink():
            raise RunError(f"{path} is a link, but a run writes only into its own folder: replace it by the folder")
        return path

    def pictures(self) -> dict[int, Path]:
        """Return {step: path} of the pictures in the folder samples, ordered by step. Other files are ignored.

        The step of a picture that is named by its epoch is the last step of this epoch in timings.csv.
        """
        found: dict[str, dict[int, Path]] = {"epoch": {}, "step": {}}
        for path in self.samples.glob("*.png"):
            if match := PICTURE.fullmatch(path.name):
                found[match[1]][int(match[2])] = path
        ends = (
            {epoch: step for step, epoch, _ in read_table(self.timings, TIMINGS_COLUMNS, math.inf)}
            if found["epoch"]
            else {}
        )
        old = {ends[epoch]: path for epoch, path in found["epoch"].items() if epoch in ends}
        return dict(sorted({**old, **found["step"]}.items()))

    def read_rows(self, until=math.inf):
        """Return the rows of log.csv and of timings.csv up to step `until`, as tuples of numbers."""
        return read_table(self.log, LOG_COLUMNS, until), read_table(self.timings, TIMINGS_COLUMNS, until)

    @distributed.by_process_0
    def write_rows(self, log, timings):
        """Write log.csv and timings.csv. log, timings: all rows."""
        write_table(self.log, LOG_COLUMNS, log)
        write_table(self.timings, TIMINGS_COLUMNS, timings)

    @distributed.by_process_0
    def save(self, name="last", **parts):
        """Write checkpoint/<name>.npz. The previous checkpoint is kept as checkpoint/<name>.previous.npz."""
        checkpoint.save(self.checkpoint / f"{name}.npz", parts, self._about())

    def read(self, name="last"):
        """Return (path, {name: array}) of checkpoint/<name>.npz, or of the previous checkpoint if it is damaged."""
        return checkpoint.newest(self.checkpoint / f"{name}.npz", self._about())

    def load(self, name="last", saved=None, **parts):
        """Load the parts of checkpoint/<name>.npz, or of `saved`, which `read` returned. Returns the training step."""
        path, arrays = saved or self.read(name)
        checkpoint.restore(path, arrays, parts)
        return int(arrays["training.steps"][0])

    def load_generator(self, training, name="last"):
        """Load only G, and the averaged weights of G (EMA) if the preset has them. Returns the step of the checkpoint.

        This works on every device. The saved state of the random numbers is not loaded: it fits one kind of device.
        """
        return self.load(name, **{f"training.{key}": part for key, part in training.sampling_parts().items()})

    def _about(self):
        return {"preset": self.settings.name}


def computed_by() -> dict[str, Any]:
    """Return {"kernels": backend.kernels(), "versions": {name: version}, "commit": git commit} of this process."""
    versions: dict[str, Any] = {
        "python": platform.python_version(),
        "tinygan": VERSION,
        "numpy": np.__version__,
    }
    versions[backend.xp.__name__] = getattr(backend.xp, "__version__", None)  # of cupy on CUDA
    return {"kernels": backend.kernels(), "versions": versions, "commit": commit()}


def known_about(values: dict) -> dict[str, Any]:
    """Return the values of `computed_by` from `values`, the content of config.json. Invalid values are ignored."""
    short = lambda x: isinstance(x, str) and WORD.fullmatch(x)
    versions = values.get("versions")
    versions = versions.items() if isinstance(versions, dict) else ()
    about = {key: values[key] for key in ("kernels", "commit") if short(values.get(key))}
    return {**about, "versions": {name: version for name, version in versions if short(name) and short(version)}}


def new_folder(stem):
    """Make the first folder of <stem>-1, <stem>-2, ... that does not exist, and return its path."""
    for n in itertools.count(1):
        try:
            (folder := Path(f"{stem}-{n}")).mkdir(parents=True)
            return folder
        except FileExistsError:
            pass


def read_table(path, columns, until):
    """Return the complete rows of a .csv up to step `until`, as tuples of numbers (step, epoch, ...)."""
    try:
        with open(path, newline="") as file:
            cells = [row for row in list(csv.reader(file))[1:] if len(row) == len(columns)]
        rows = [(int(step), int(epoch), *map(float, rest)) for step, epoch, *rest in cells]
    except (OSError, ValueError, csv.Error) as error:
        raise RunError(f"{path} is damaged ({error})") from None
    return [row for row in rows if row[0] <= until]


def write_table(path, columns, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    files.write_text(path, text.getvalue())


def commit():
    """Return the git commit of this code, with "-dirty" if files are changed; None outside a clone."""
    root = Path(__file__).parent.parent.parent
    if not (root / ".git").exists():
        return None
    words = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=10).stdout.strip() or None
    except (OSError, subprocess.TimeoutExpired):
        return None

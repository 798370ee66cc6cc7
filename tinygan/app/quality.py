"""Measure the quality every few epochs of a training, and save the checkpoint with the best quality."""

import math
import sys
from functools import cached_property, partial

from tqdm import tqdm

from ..backend import distributed
from ..metrics import Evaluator
from .runs import RunError, read_table, write_table

COLUMNS = ("step", "epoch", "distance", "multiple")  # distance: Frechet distance; multiple: see `floor`
SAMPLES = 5_000  # samples of a measurement; evaluate.py uses 10,000


def read(run, until=math.inf):
    """Return the rows of quality.csv up to step `until`; an empty list if there is no such file."""
    return read_table(csv_path(run), COLUMNS, until) if csv_path(run).exists() else []


def csv_path(run):
    return run.folder / "quality.csv"


class Quality:
    """Measures the quality of a run every settings.evaluate_every epochs. Writes quality.csv and the checkpoint "best".

    train: the training Dataset. quiet: show no progress bar. Raises ValueError (DataError, MetricsError) if the quality
    cannot be measured on this data.
    """

    def __init__(self, settings, train, quiet=False):
        self.every = settings.evaluate_every
        if self.every and settings.points:
            raise ValueError("--evaluate-every is for images; on toy data the samples are rated at the end")
        if self.every:
            progress = partial(tqdm, desc="classifier", leave=False, disable=True if quiet else None)
            self.prepare(settings, train, progress)

    @distributed.by_process_0
    def prepare(self, settings, train, progress):
        """Find or train the classifier, and compute the features of the test images."""
        self.evaluator = Evaluator(settings.data, SAMPLES, progress, train, settings.skip_broken)
        if self.evaluator.note:
            print(self.evaluator.note, file=sys.stderr)

    @distributed.by_process_0
    def start(self, run, step):
        """Read the rows of quality.csv up to `step`, the step of the checkpoint. Later rows are deleted."""
        self.run, self.rows = run, []
        try:
            self.rows = read(run, until=step)
        except RunError as error:
            print(f"{error}: quality.csv begins anew", file=sys.stderr)
        if self.rows or self.every:
            write_table(csv_path(run), COLUMNS, self.rows)

    @cached_property
    def floor(self):
        """The distance of real images, by which other distances are divided; NaN if it means nothing."""
        return self.evaluator.distance(self.evaluator.real.images) if self.evaluator.has_floor else math.nan

    def update(self, step, epoch, **parts):
        """If a measurement is due, measure the quality, and return a text for the terminal; else return "".

        parts: the content of a checkpoint, {name: object with state_dict()}. If quality.csv already has a row for this
        step, the row is used.
        """
        if not self.every or epoch % self.every:
            return ""
        if step not in (row[0] for row in self.rows):
            self.measure(step, epoch, parts)
        *_, distance, multiple = self.rows[-1]
        return f", distance {distance:.3g}" if math.isnan(multiple) else f", distance {multiple:.1f} times the floor"

    def measure(self, step, epoch, parts):
        """Measure, and add a row to quality.csv. If the distance is the smallest so far, save the checkpoint "best"."""
        images, _ = self.evaluator.draw(parts["training"], bool(self.run.settings.groups))
        distance = round(self.evaluator.distance(images), 6)
        if all(distance < row[2] for row in self.rows):
            self.run.save("best", **parts)
        self.rows.append((step, epoch, distance, round(distance / self.floor, 3)))
        write_table(csv_path(self.run), COLUMNS, self.rows)

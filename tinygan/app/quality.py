"""Quality during training: the distance of samples from real images every few epochs, and the best checkpoint."""

import math
import sys
from functools import cached_property, partial

from tqdm import tqdm

from ..backend import distributed
from ..metrics import Evaluator
from .runs import RunError, read_table, write_table

COLUMNS = ("step", "epoch", "distance", "multiple")  # multiple: the distance / that of real images
SAMPLES = 5_000  # half as many as evaluate.py: enough to compare epochs


def read(run, until=math.inf):
    """Return the rows of quality.csv up to step `until`; none if nothing was measured."""
    return read_table(place(run), COLUMNS, until) if place(run).exists() else []


def place(run):
    return run.folder / "quality.csv"


class Quality:
    """Measures a run with these settings every few epochs. It writes quality.csv and the checkpoint "best".

    train: the Dataset. quiet: show no bar. Raises ValueError (DataError, MetricsError) for data on which nothing can be
    measured.
    """

    def __init__(self, settings, train, quiet=False):
        self.every = settings.evaluate_every
        if self.every and settings.points:
            raise ValueError("a toy world is measured at its end: --evaluate-every is for images")
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
        """Read the rows up to this step. Later ones, after the checkpoint, are dropped and measured again."""
        self.run, self.rows = run, []
        try:
            self.rows = read(run, until=step)
        except RunError as error:
            print(f"{error}: the quality is recorded anew", file=sys.stderr)
        if self.rows or self.every:
            write_table(place(run), COLUMNS, self.rows)

    @cached_property
    def floor(self):
        return self.evaluator.distance(self.evaluator.real.images)

    def update(self, step, epoch, **parts):
        """If due, measure, save the best checkpoint, and return a status line. parts: of the checkpoint.

        What was measured at this step before a kill is not measured again.
        """
        if not self.every or epoch % self.every:
            return ""
        if step not in (row[0] for row in self.rows):
            self.measure(step, epoch, parts)
        return f", distance {self.rows[-1][3]:.1f} times the floor"

    def measure(self, step, epoch, parts):
        """Add a row to quality.csv. If it is the best so far, save the checkpoint "best" first."""
        images, _ = self.evaluator.draw(parts["training"], bool(self.run.settings.groups))
        distance = round(self.evaluator.distance(images), 6)
        if all(distance < row[2] for row in self.rows):
            self.run.save("best", **parts)
        self.rows.append((step, epoch, distance, round(distance / self.floor, 3)))
        write_table(place(self.run), COLUMNS, self.rows)

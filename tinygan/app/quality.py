"""Quality along the way: how far the samples are from real images every few epochs, and the best checkpoint by that."""

import math
from functools import cached_property

from tqdm import tqdm

from ..metrics import Evaluator
from .runs import read_table, write_table

COLUMNS = ("step", "epoch", "distance", "multiple")  # the Frechet distance of evaluate.py, and in units of its floor
SAMPLES = 5_000  # half of what evaluate.py takes: this is for comparing epochs with each other


def read(run, until=math.inf):
    """The rows of quality.csv up to step `until`; none where nothing was measured."""
    return read_table(place(run), COLUMNS, until) if place(run).exists() else []


def place(run):
    return run.folder / "quality.csv"


class Quality:
    """What is measured of a run with these settings on this Dataset: quality.csv, and its checkpoint "best".

    Raises ValueError (DataError, MetricsError), in a sentence, for data on which nothing can be measured.
    """

    def __init__(self, settings, train):
        self.every = settings["evaluate_every"]
        if self.every and len(settings["shape"]) == 1:
            raise ValueError("a toy world is judged at its end: --evaluate-every is for images")
        if self.every:
            self.evaluator = Evaluator(settings["data"], SAMPLES, progress=tqdm, train=train)

    def start(self, run, step):
        """rows: what was measured up to this step. What came after the checkpoint is measured again."""
        self.run, self.rows = run, read(run, until=step)
        if self.rows or self.every:
            write_table(place(run), COLUMNS, self.rows)

    @cached_property
    def floor(self):
        return self.evaluator.distance(self.evaluator.real.images)

    def see(self, step, epoch, **parts):
        """After an epoch: measure, where one is due, and keep `parts`, a training among them, if it is the best yet.
        Returns what to say of it."""
        if not self.every or epoch % self.every:
            return ""
        images, _ = self.evaluator.draw(parts["training"])
        distance = round(self.evaluator.distance(images), 6)
        if all(distance < row[2] for row in self.rows):
            self.run.save("best", **parts)
        self.rows.append((step, epoch, distance, round(distance / self.floor, 3)))
        write_table(place(self.run), COLUMNS, self.rows)
        return f", distance {self.rows[-1][3]:.1f} times the floor"

"""The log of a run: the metrics of every few steps, and the time of the steps."""

import contextlib
import time
from collections.abc import Iterator

from .. import backend
from ..backend import distributed
from ..gan.health import METRICS, FailureMonitor
from ..gan.training import Training
from . import schedule
from .errors import only_warn
from .terminal import outputs_of_D


class Log:
    """The rows of log.csv and timings.csv. Rows after the checkpoint are deleted, because their steps are repeated.

    On a GPU the rows stay on the device until READ_EVERY of them are read together: reading waits for the GPU, and the
    host should queue further steps instead. finite: whether all metrics and weights that were read are finite.
    """

    READ_EVERY = 10

    def __init__(self, run, training: Training, terminal, steps_per_epoch: int) -> None:
        self.run, self.training, self.terminal, self.per_epoch = run, training, terminal, steps_per_epoch
        self.rows, self.timings = [], []
        with only_warn(terminal, "reading the old log"):
            self.rows, self.timings = run.read_rows(until=int(training.steps[0]))
        self.write()
        self.unread: list[tuple] = []  # (step, array of the device)
        self.finite, self.started = True, time.perf_counter()
        self.monitor = FailureMonitor(training.gan.loss)
        for row in self.rows:
            self.monitor.update(row[2:])  # so a resumed run does not repeat its warnings

    def epoch(self, step: int) -> int:
        """Return the epoch of a step. Steps and epochs are counted from 1."""
        return -(-step // self.per_epoch)

    def update(self, step: int, bar) -> bool:
        """Log the metrics of the last Training.HISTORY steps. Return whether the run should be saved now.

        The result is True if SAVE_EVERY seconds have passed since `start_timer`, or if a number is not finite. It is
        the same in all processes.
        """
        self.unread.append((step, self.training.report()))
        if backend.device == "cpu" or len(self.unread) == self.READ_EVERY:
            self.collect(bar)
        return bool(distributed.largest(not self.finite or self.seconds() > schedule.SAVE_EVERY))

    def collect(self, bar) -> bool:
        """Read the rows from the device, show the last one in the progress bar, and warn of failures.

        Returns whether all that was read so far is finite.
        """
        for step, row in self.unread:
            *metrics, finite = backend.to_host(row).tolist()
            self.rows.append((step, self.epoch(step), *metrics))
            self.finite = self.finite and finite == 1
            bar.set_postfix_str(outputs_of_D(dict(zip(METRICS, metrics, strict=True))))
            for failure in self.monitor.update(metrics):
                self.terminal.warn(f"step {step}: {failure}")
        self.unread.clear()
        return self.finite

    def start_timer(self) -> None:
        self.started = time.perf_counter()

    @contextlib.contextmanager
    def paused_timer(self) -> Iterator[None]:
        """with log.paused_timer(): this time is no time of the steps."""
        begun = time.perf_counter()
        yield
        self.started += time.perf_counter() - begun

    def seconds(self) -> float:
        """Return the seconds since `start_timer`."""
        return time.perf_counter() - self.started

    def save(self, step: int) -> None:
        """Write log.csv and timings.csv. timings.csv gets a row with the seconds since `start_timer`."""
        self.timings.append((step, self.epoch(step), round(self.seconds(), 3)))
        self.write()

    def write(self) -> None:
        """Write log.csv and timings.csv. If this fails, print a warning; the training continues."""
        with only_warn(self.terminal, "writing the log"):
            self.run.write_rows(self.rows, self.timings)

"""The log of a run: its metrics every few steps, and how long the steps took."""

import time

from .. import backend
from ..gan.health import METRICS, FailureMonitor
from ..gan.training import Training
from .errors import only_warn
from .terminal import outputs_of_D


class Log:
    """The rows of log.csv and timings.csv. Rows after the checkpoint are dropped: their steps are done again.

    Metrics are copied from the device asynchronously, so training does not wait for them: `request` starts a copy, and
    `collect` takes the copies that have arrived. finite: whether all numbers so far were finite.
    """

    def __init__(self, run, training: Training, terminal, steps_per_epoch: int) -> None:
        self.run, self.training, self.terminal, self.per_epoch = run, training, terminal, steps_per_epoch
        self.rows, self.timings = [], []
        with only_warn(terminal, "reading the log, which begins anew,"):
            self.rows, self.timings = run.read_rows(until=int(training.steps[0]))
        self.write()
        self.requested: list[tuple] = []  # (step, AsyncCopy)
        self.finite, self.started = True, time.perf_counter()
        self.monitor = FailureMonitor(training.gan.loss)
        for row in self.rows:
            self.monitor.update(row[2:])  # a resumed run does not repeat its warnings

    def epoch(self, step: int) -> int:
        """Return the epoch of a step; both are counted from 1."""
        return -(-step // self.per_epoch)

    def request(self, step: int) -> None:
        """Start to copy the metrics of a step."""
        self.requested.append((step, backend.AsyncCopy(self.training.report())))

    def collect(self, bar, wait: bool = False) -> None:
        """Add the rows that have arrived (wait: all requested rows), show the last, and warn of failures."""
        while self.requested and (wait or self.requested[0][1].ready()):
            step, copy = self.requested.pop(0)
            *metrics, finite = copy.get().tolist()
            self.rows.append((step, self.epoch(step), *metrics))
            self.finite = self.finite and finite == 1
            bar.set_postfix_str(outputs_of_D(dict(zip(METRICS, metrics, strict=True))))
            for failure in self.monitor.update(metrics):
                self.terminal.warn(f"step {step}: {failure}")

    def start_timer(self) -> None:
        self.started = time.perf_counter()

    def seconds(self) -> float:
        """Return the seconds since `start_timer`."""
        return time.perf_counter() - self.started

    def save(self, step: int) -> None:
        """Write both files; the steps since `start_timer` are one row of timings.csv."""
        self.timings.append((step, self.epoch(step), round(self.seconds(), 3)))
        self.write()

    def write(self) -> None:
        """Write both files. A log that cannot be written is lost, but not the run."""
        with only_warn(self.terminal, "writing the log"):
            self.run.write_rows(self.rows, self.timings)

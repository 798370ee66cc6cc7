"""The log of a run: its metrics every few steps, and how long the steps took."""

import time

from .. import backend
from ..gan.health import FailureMonitor
from ..gan.training import Training
from .terminal import short


class Log:
    """The rows of log.csv and timings.csv. Rows after the checkpoint are dropped: their steps are done again.

    Metrics are copied from the device asynchronously, so training does not wait for them: `request` starts a copy, and
    `collect` takes the copies that have arrived. finite: whether all numbers so far were finite.
    """

    def __init__(self, run, training: Training, terminal) -> None:
        self.run, self.training, self.terminal = run, training, terminal
        self.rows, self.timings = run.read_rows(until=int(training.steps[0]))
        run.write_rows(self.rows, self.timings)
        self.requested: list[tuple] = []  # (step, epoch, AsyncCopy)
        self.finite, self.started = True, time.perf_counter()
        self.monitor = FailureMonitor(training.gan.loss)
        for row in self.rows:
            self.monitor.update(row[2:])  # a resumed run does not repeat its warnings

    def request(self, step: int, epoch: int) -> None:
        """Start to copy the metrics of a step."""
        self.requested.append((step, epoch, backend.AsyncCopy(self.training.report())))

    def collect(self, bar, wait: bool = False) -> None:
        """Add the rows that have arrived (wait: all requested rows), show the last, and warn of failures."""
        while self.requested and (wait or self.requested[0][2].ready()):
            step, epoch, copy = self.requested.pop(0)
            *metrics, finite = copy.get().tolist()
            self.rows.append((step, epoch, *metrics))
            self.finite = self.finite and finite == 1
            bar.set_postfix_str(short(self.rows[-1]))
            for failure in self.monitor.update(metrics):
                self.terminal.warn(f"step {step}: {failure}")

    def start_timer(self) -> None:
        self.started = time.perf_counter()

    def seconds(self) -> float:
        """Return the seconds since `start_timer`."""
        return time.perf_counter() - self.started

    def save(self, step: int, epoch: int) -> None:
        """Write both files; the steps since `start_timer` are one row of timings.csv."""
        self.timings.append((step, epoch, round(self.seconds(), 3)))
        self.run.write_rows(self.rows, self.timings)

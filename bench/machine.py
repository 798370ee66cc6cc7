"""How fast this machine is at the moment, compared with the fastest that it has been.

Other programs share the machines that we measure on, and a processor lowers its clock. So each table is accompanied by
the rates of a matrix product and of a copy, timed between its rows. bench/results/machine.json keeps the best rates of
each machine.
"""

import json
import os
import platform
import statistics

from turns import ROOT, Worker
from worker import about

BEST = ROOT / "bench/results/machine.json"
LEAST = 0.8  # of its own best: a slower machine says little about the code
SAME = 1.1  # two passes may differ by this factor


def processor():
    model = next((x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")), "")
    return f"{platform.system()} on {model}, {os.cpu_count()} cores"


def describe():
    """Return the machine and the versions of Python, NumPy and PyTorch as text."""
    model, versions = processor(), about("numpy", "torch")
    return f"{model}, Python {platform.python_version()}, " + ", ".join(f"{k} {v}" for k, v in versions.items())


def known():
    return json.loads(BEST.read_text()) if BEST.exists() else {}


class Machine:
    """The rates of this machine with this number of threads."""

    def __init__(self, threads):
        self.name, self.samples = f"{processor()}, {threads} thread{'s' * (threads > 1)}", []
        self.worker = Worker("rates", threads=threads)

    def sample(self):
        self.samples.append(self.worker.turn(1))

    def best(self):
        """Return the best rate of each kind, of this run and of earlier ones."""
        return {
            kind: max(known().get(self.name, {}).get(kind, 0), *(sample[kind] for sample in self.samples))
            for kind in self.samples[0]
        }

    def fractions(self):
        """Return {kind of rate: median of this run divided by the best}."""
        return {kind: statistics.median(x[kind] for x in self.samples) / top for kind, top in self.best().items()}

    def __str__(self):
        """Return the machine and its rates as text."""
        best = self.best()
        parts = [f"{kind} {best[kind] * part:.0f}, {part:.0%} of its best" for kind, part in self.fractions().items()]
        return f"{self.name}: {'; '.join(parts)}"

    def save(self):
        """Write the best rates to BEST."""
        rates = {kind: round(rate, 1) for kind, rate in self.best().items()}
        BEST.write_text(json.dumps({**known(), self.name: rates}, indent=1) + "\n")


def doubts(machines, rows):
    """Return sentences that say why a table should not be kept. rows: {name of a cell: the medians of its passes}."""
    slow = [
        f"{machine.name}: the rate of {kind} is {part:.0%} of its best, less than {LEAST:.0%}"
        for machine in machines
        for kind, part in machine.fractions().items()
        if part < LEAST
    ]
    unequal = [
        f"{cell}: the two passes differ by {max(medians) / min(medians) - 1:.0%}, more than {SAME - 1:.0%}"
        for cell, medians in rows.items()
        if max(medians) > SAME * min(medians)
    ]
    return slow + unequal

"""Processes that take turns, so that a comparison is fair.

Each side of a comparison has its own process (worker.py), and only one of them computes at a time. In a single process,
the threads of one library would slow down those of another. Sides take short turns, so a machine that becomes slower
becomes slower for all of them.
"""

import itertools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TURN = 0.25  # the least seconds of a turn
LEAST = 3  # the least steps of a turn


def environment(threads=None, kernels=None):
    """Return the environment of a process. threads, kernels: OMP_NUM_THREADS and TINYGAN_KERNELS, if they are given.

    OPENBLAS_CORETYPE and its kind are removed: a machine may set them, and then NumPy computes with the kernels of an
    older processor, up to 1.5 times slower. PyTorch and Numba do not read them.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    given = {"OMP_NUM_THREADS": threads, "TINYGAN_KERNELS": kernels}
    return {**kept, **{name: str(value) for name, value in given.items() if value}}


def start_again():
    """Start this program again without OPENBLAS_*, if it is set. NumPy's library has read it when it was loaded."""
    if any(name.startswith("OPENBLAS_") for name in os.environ):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment())


class Process:
    """A Python process that answers each line of its input with a line of JSON."""

    def __init__(self, words, threads=None, kernels=None):
        pipe = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(threads, kernels))
        self.words = [str(word) for word in words]
        self.process = subprocess.Popen([sys.executable, "-W", "ignore", *self.words], **pipe)

    def ask(self, line):
        print(line, file=self.process.stdin, flush=True)
        return self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(self.words)} has failed with status {self.process.wait()}; its error is above")
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


class Worker(Process):
    """A process of worker.py. root: the checkout whose tinygan it measures. about: the libraries that it uses.

    The checkout's own worker.py is run, because it knows how to build a step there.
    """

    def __init__(self, side, preset="", batch_size=0, threads=1, kernels=None, root=ROOT):
        script = root / "bench/worker.py"
        script = script if script.exists() else ROOT / "bench/worker.py"  # a commit before there was a worker.py
        super().__init__([script, root, side, preset, batch_size], threads, kernels)
        self.about = self.read()

    def turn(self, steps):
        """Do this number of steps. Returns {"wall": s, "processor": s} for a step, or the rates of the machine."""
        return self.ask(steps)


def take_turns(workers, rounds):
    """Return, for each worker, the list of its turns. The order is reversed in every second round.

    The first turns are not counted. They contain first calls, and show how many steps the turns of all workers need.
    """
    slowest = max(worker.turn(LEAST)["wall"] for worker in workers)
    steps = max(LEAST, math.ceil(TURN / slowest))
    turns = [[] for _ in workers]
    for _, order in zip(range(rounds), itertools.cycle([1, -1])):
        for worker, own in list(zip(workers, turns))[::order]:
            own.append(worker.turn(steps))
    return turns

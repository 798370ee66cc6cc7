"""The CPU's cores. NumPy runs all but matrix products on one of them; here work is cut into blocks, and the blocks go
to threads of our own (NumPy releases Python's lock while it computes).

A block is small enough that what is computed along the way stays in the cache, which pays even with one thread. How
work is cut depends on its size alone, never on the number of threads: so results do not, to the bit.
"""

import ctypes
import math
import os
import sys
from collections import deque
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import numpy


def count():
    """How many threads: what OMP_NUM_THREADS or a BLAS's variable of that kind says, else the cores we may use."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(name, "").isdigit():
            return max(1, int(os.environ[name]))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


THREADS = count()  # may be changed at any time
_tasks = SimpleQueue()  # (what to do, the queue that is told when it is done): a third of what a future costs
_helpers = []


def _begin_anew():
    """A child process has none of its parent's threads, and one of them may have held the queue's lock."""
    global _tasks
    _tasks = SimpleQueue()
    _helpers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def _help():
    while True:
        work, done = _tasks.get()
        done.put(work())


def one_product_a_thread():
    """Tell the OpenBLAS that comes with NumPy to leave the threads to us: two sets of them fight for the same cores."""
    for path in Path(numpy.__file__).parent.parent.glob("numpy.libs/*openblas*"):
        library = ctypes.CDLL(str(path))  # it is loaded already: this only finds it
        for name in ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads"):
            if hasattr(library, name):
                getattr(library, name)(1)


def keep_memory():
    """Tell glibc to keep the memory of freed arrays: a step makes the same ones again, and new pages cost time."""
    if hasattr(libc := ctypes.CDLL(None) if sys.platform == "linux" else None, "mallopt"):
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no array has a mapping of its own
        libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD: the heap does not shrink


def run(function, blocks):
    """function(block) for every block, on all threads; the results in the order of the blocks."""
    if len(blocks) == 1 or THREADS == 1:
        return [function(block) for block in blocks]
    results, waiting = [None] * len(blocks), deque(range(len(blocks)))

    def take():  # a deque is whole whoever takes, with Python's lock and without
        try:
            return waiting.popleft()
        except IndexError:
            return None

    def work():
        try:
            for i in iter(take, None):  # whoever is free takes the next one
                results[i] = function(blocks[i])
        except BaseException as error:
            waiting.clear()  # nobody is to begin another one
            return error

    done, others = SimpleQueue(), min(THREADS, len(blocks)) - 1  # the thread that asks works too
    while len(_helpers) < others:
        _helpers.append(Thread(target=_help, daemon=True))
        _helpers[-1].start()
    for _ in range(others):
        _tasks.put((work, done))
    for error in (work(), *(done.get() for _ in range(others))):
        if error is not None:
            raise error
    return results


def cut(length, size):
    """Slices of `size` (the last may be smaller) that cover `length`."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def cut_evenly(length, work, most):
    """Slices that cover `length`, each with about `most` of the `work` or less; an even number of them, so that two
    threads end together."""
    blocks = 2 * max(1, math.ceil(work / (2 * most)))
    return cut(length, max(1, math.ceil(length / blocks)))

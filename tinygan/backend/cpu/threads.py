"""A small pool of threads for the CPU's cores.

NumPy computes on one core at a time. Here an operation is cut into blocks, and the blocks are computed on all cores;
NumPy releases Python's lock while it computes. A block is small enough for its intermediate results to stay in the
cache, which is faster even with one thread.

How work is cut depends on its size only, never on the number of threads. So results do not depend on it either, to
the bit.
"""

import ctypes
import math
import os
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import numpy

from .. import distributed

THREADS = 1  # the number of threads that compute; `tune` sets it


def default():
    """Return OMP_NUM_THREADS (or its OpenBLAS and MKL forms) if it is set, else the number of cores of this process.

    Processes that train together on the same cores divide them.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(name, "").isdigit():
            return max(1, int(os.environ[name]))
    return max(1, len(cores()) // distributed.sharing)


def cores():
    """Return the numbers of the cores that this process may use."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def tune(threads=None):
    """See backend.tune."""
    global THREADS
    THREADS = threads or default()
    _one_thread_per_product()
    _keep_memory()
    return THREADS


_jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
_helpers: list[Thread] = []


def _forget_threads():
    """A forked child has none of its parent's threads, and one of them may have held the queue's lock."""
    global _jobs, _helpers
    _jobs, _helpers = SimpleQueue(), []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def _serve(jobs):
    """A helper thread: do one job after another, for ever."""
    while True:
        jobs.get()()


def _one_thread_per_product():
    """Tell the OpenBLAS that comes with NumPy to use one thread: two pools would compete for the same cores."""
    for path in Path(numpy.__file__).parent.parent.glob("numpy.libs/*openblas*"):
        library = ctypes.CDLL(str(path))  # finds the library that NumPy has loaded
        for name in ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads"):
            if hasattr(library, name):
                getattr(library, name)(1)


def _keep_memory():
    """Tell glibc to keep freed memory: each step needs arrays of the same sizes, and new pages cost time."""
    if hasattr(libc := ctypes.CDLL(None) if sys.platform == "linux" else None, "mallopt"):
        libc.mallopt(-4, 0)  # M_MMAP_MAX: no array has a mapping of its own
        libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD: the heap does not shrink


def run(function, blocks):
    """Return [function(block) for block in blocks], computed on all threads.

    The calling thread and the helpers take one block after another until none is left. All blocks are computed even if
    one fails; then the first error is raised.
    """
    if len(blocks) == 1 or THREADS == 1:
        return [function(block) for block in blocks]
    results, waiting, errors = [None] * len(blocks), deque(range(len(blocks))), SimpleQueue()

    def work():
        while waiting:
            try:
                i = waiting.popleft()
            except IndexError:  # another thread took the last one
                return
            try:
                results[i] = function(blocks[i])
                errors.put(None)
            except BaseException as error:
                errors.put(error)

    while len(_helpers) < THREADS - 1:
        _helpers.append(Thread(target=_serve, args=(_jobs,), daemon=True))
        _helpers[-1].start()
    for _ in range(min(THREADS, len(blocks)) - 1):
        _jobs.put(work)
    work()
    found = [error for error in [errors.get() for _ in blocks] if error is not None]
    result, results, function = results, None, None  # a helper may take the job late: it must not keep arrays alive
    if found:
        raise found[0]
    return result


def cut(length, size):
    """Slices of `size` (the last may be smaller) that cover `length`."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def cut_evenly(length, work, most):
    """Return slices that cover `length`, each with about `most` of the `work` or less. Their number is even where the
    length allows it, so that two threads end together."""
    blocks = 2 * max(1, math.ceil(work / (2 * most)))
    return cut(length, max(1, math.ceil(length / blocks)))

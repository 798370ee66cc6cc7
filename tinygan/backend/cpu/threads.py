"""A small pool of threads for the CPU's cores.

NumPy computes most operations on one core. Here an operation is cut into blocks, and several threads compute them at
the same time. This works because NumPy releases Python's lock while it computes. The intermediate results of a block
fit in the cache, which is faster even with one thread.

The blocks depend on the size of an operation, not on the number of threads. So the number of threads does not change
any bit of a result.
"""

import contextlib
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

THREADS = 1  # the number of threads that compute; set by `tune`


def default():
    """Return the default number of threads: OMP_NUM_THREADS if it is set, else the number of cores of this process.

    OPENBLAS_NUM_THREADS and MKL_NUM_THREADS are read too. Processes that train together divide their common cores.
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
    """Make a new pool in a forked child process. The fork copied no threads, but maybe a locked queue."""
    global _jobs, _helpers
    _jobs, _helpers = SimpleQueue(), []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def _serve(jobs):
    """Run jobs from the queue for ever, in a helper thread."""
    while True:
        jobs.get()()


NAMES = [  # of the function of OpenBLAS that sets its number of threads. A name that ends in _ alone takes a pointer
    f"{before}openblas_set_num_threads{after}" for before in ("scipy_", "") for after in ("64_", "")
]


def _one_thread_per_product():
    """Set OpenBLAS, which NumPy uses, to one thread. Its threads would compete with ours for the cores."""
    for path in _loaded_libraries():
        if "blas" in path.lower():
            with contextlib.suppress(OSError):
                library = ctypes.CDLL(path)  # it is loaded already: this returns the same library
                for name in NAMES:
                    if hasattr(library, name):
                        getattr(library, name)(1)


def _loaded_libraries():
    """Return the paths of the libraries of this process that can contain OpenBLAS.

    In NumPy's wheels it is in numpy.libs or numpy/.dylibs. Debian, conda and others have it anywhere.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError), open("/proc/self/maps") as file:
            return {line.split(maxsplit=5)[5].rstrip() for line in file if line.count("/")}
    if sys.platform == "darwin":
        system = ctypes.CDLL(None)
        system._dyld_get_image_name.restype = ctypes.c_char_p
        return {os.fsdecode(system._dyld_get_image_name(i)) for i in range(system._dyld_image_count())}
    return {str(path) for path in Path(numpy.__file__).parent.parent.glob("numpy.libs/*openblas*")}


def _keep_memory():
    """Set glibc to reuse freed memory instead of returning it to the system. Each step needs the same sizes."""
    if hasattr(libc := ctypes.CDLL(None) if sys.platform == "linux" else None, "mallopt"):
        libc.mallopt(-4, 0)  # M_MMAP_MAX: allocate large arrays in the heap too
        libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD: the heap does not shrink


def run(function, blocks):
    """Return [function(block) for block in blocks], computed on all threads.

    Each thread computes one block after another until none is left. If a block fails on one of several threads, the
    other blocks are still computed, and then the first error is raised.
    """
    if len(blocks) == 1 or THREADS == 1:
        return [function(block) for block in blocks]
    results, waiting, errors = [None] * len(blocks), deque(range(len(blocks))), SimpleQueue()

    def work():
        while waiting:
            try:
                i = waiting.popleft()
            except IndexError:  # another thread has popped the last block
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
    result, results, function = results, None, None  # frees the arrays even if a helper starts `work` later
    if found:
        raise found[0]
    return result


def cut(length, size):
    """Return slices of `size` elements that cover `length`. The last may be smaller."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def cut_evenly(length, work, most):
    """Return slices of equal size that cover `length`. The last may be smaller. Each has about `most` work, or less.

    work: the work of all slices together, such as a number of elements. The number of slices is usually even, so that
    two threads get equal work.
    """
    blocks = 2 * max(1, math.ceil(work / (2 * most)))
    return cut(length, max(1, math.ceil(length / blocks)))

"""The CPU's cores. NumPy runs all but matrix products on one of them; here work is cut into blocks, and the blocks go
to threads of our own (NumPy releases Python's lock while it computes).

A block is small enough that what is computed along the way stays in the cache, which pays even with one thread. How
work is cut depends on its size alone, never on the number of threads: so results do not, to the bit.
"""

import ctypes
import os
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy


def count():
    """How many threads: what OMP_NUM_THREADS or a BLAS's variable of that kind says, else the cores we may use."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        if os.environ.get(name, "").isdigit():
            return max(1, int(os.environ[name]))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


THREADS = count()
_pool = ThreadPoolExecutor(max(1, THREADS - 1))  # and the thread that asks works too


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
    results, waiting = [None] * len(blocks), iter(range(len(blocks)))

    def work():
        for i in waiting:  # whoever is free takes the next one
            results[i] = function(blocks[i])

    others = [_pool.submit(work) for _ in range(min(THREADS, len(blocks)) - 1)]
    try:
        work()
    finally:  # after an error too nobody may go on writing
        for _ in waiting:
            pass
        wait(others)
    for other in others:
        other.result()
    return results


def cut(length, size):
    """Slices of `size` (the last may be smaller) that cover `length`."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]

"""The backend with loops compiled by Numba (the extra `fast`). backend/__init__.py documents the functions.

NumPy reads memory once for each operation of a formula. A compiled loop reads it once for the whole formula. OpenMP
divides the iterations of a loop among its threads. Between loops these threads wait actively, so they start at once.
Waking up a sleeping thread would take longer than many operations. Without OpenMP (the wheels for macOS, or a container
without libgomp), Numba's own threads compute the same bits, but more slowly.

Each number of a result, or of a partial sum, is computed by one iteration of a loop. The number of iterations does not
depend on the number of threads. So the number of threads does not change any bit of a result.
"""

import functools
import importlib
import logging
import sys
import threading

import numba

from ..cpu import RNG, capture, copy_into, gather, start, tf32, to_device, to_host, xp
from .cache import kernel, warn
from .convolution import conv2d, conv2d_weight_grad, conv_transpose2d
from .elementwise import column_sums, fuse, mean_and_variance
from .products import matmul

try:
    importlib.import_module("numba.np.ufunc.omppool")  # fails if OpenMP is missing
    OPENMP = True
except ImportError:
    OPENMP = False
REMEDY = {"linux": "apt-get install libgomp1", "darwin": "the Numba of conda-forge has it"}
numba.config.THREADING_LAYER = "omp" if OPENMP else "workqueue"


def one_at_a_time(function):
    """Let only one thread of Python be in `function`. Numba's own threads abort the process if two are."""

    @functools.wraps(function)
    def locked(*args, **options):
        with _lock:
            return function(*args, **options)

    return locked


_lock = threading.RLock()  # a forked child does not need it: it computes with NumPy
if not OPENMP:
    conv2d, conv2d_weight_grad, conv_transpose2d = map(one_at_a_time, (conv2d, conv2d_weight_grad, conv_transpose2d))
    matmul, column_sums, mean_and_variance = map(one_at_a_time, (matmul, column_sums, mean_and_variance))
    _fuse = fuse
    fuse = lambda function: one_at_a_time(_fuse(function))


@one_at_a_time
def tune(threads):
    """Set the number of threads, at most Numba's maximum, and start them."""
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    _start_threads()
    if _start_threads.stats.cache_misses:
        logging.getLogger("tinygan").warning("Numba compiles the loops for this CPU, once; this takes about 10 s")
    if not OPENMP:
        remedy = f" ({REMEDY[sys.platform]})" if sys.platform in REMEDY else ""
        warn(f"Numba finds no OpenMP{remedy}, which would be faster than its own threads")


@kernel
def _start_threads():
    """Start the threads by an empty loop."""
    for _ in numba.prange(2):
        pass

"""The CPU with loops compiled by Numba, which the extra `fast` installs. The same functions as cpu/.

NumPy passes over memory once for each operation of a formula, a compiled loop once for the whole formula. OpenMP
divides the iterations of a loop among its threads. Its threads wait actively for the next loop, so they start at once;
to wake up a thread of Python takes longer than many operations.

Each number of a result is computed by one iteration, in an order that does not depend on the number of threads. So
results do not depend on it either, to the bit. Compiled code is stored beside the package, or in the user's cache
folder where that is read-only. Where neither can be written, each process compiles for itself.
"""

import logging

import numba

from ..cpu import RNG, AsyncCopy, capture, ones, start, tf32, to_device, to_host, xp
from ..cpu.fusion import add_into, gather, interpolate, scatter, squared_norms
from . import cache  # before the modules with loops: it chooses where their code is stored
from .convolution import conv2d, conv2d_weight_grad, conv_transpose2d
from .elementwise import column_sums, fuse, mean_and_variance
from .products import matmul

numba.config.THREADING_LAYER = "omp"  # the others are slower, or do not come with Numba


def tune(threads):
    """Let OpenMP use `threads` threads, at most those that Numba has. Raises ValueError if there is no OpenMP."""
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    _start_threads()
    if _start_threads.stats.cache_misses:
        logging.getLogger("tinygan").warning("Numba compiles the loops for this CPU, once: about 10 s")


@numba.njit(cache=True, parallel=True)
def _start_threads():
    """Start OpenMP. Raises ValueError if this machine has none."""
    for _ in numba.prange(2):
        pass

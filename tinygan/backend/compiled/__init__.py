"""The backend with loops compiled by Numba (the extra `fast`). backend/__init__.py documents the functions.

NumPy reads memory once for each operation of a formula. A compiled loop reads it once for the whole formula. OpenMP
divides the iterations of a loop among its threads. Between loops these threads wait actively, so they start at once.
Waking up a sleeping thread would take longer than many operations.

Each number of a result, or of a partial sum, is computed by one iteration of a loop. The number of iterations does not
depend on the number of threads. So the number of threads does not change any bit of a result.
"""

import logging

import numba

from ..cpu import RNG, capture, copy_into, gather, start, tf32, to_device, to_host, xp
from .cache import kernel
from .convolution import conv2d, conv2d_weight_grad, conv_transpose2d
from .elementwise import column_sums, fuse, mean_and_variance
from .products import matmul

numba.config.THREADING_LAYER = "omp"  # Numba's other threading layers are slower, or must be installed


def tune(threads):
    """Set the number of threads, at most Numba's maximum, and start OpenMP. Raises ValueError if OpenMP is missing."""
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    _start_threads()
    if _start_threads.stats.cache_misses:
        logging.getLogger("tinygan").warning("Numba compiles the loops for this CPU, once; this takes about 10 s")


@kernel
def _start_threads():
    """Start the threads of OpenMP by an empty loop. Raises ValueError if this machine has no OpenMP."""
    for _ in numba.prange(2):
        pass

"""Matrix products. Large products are cut into pieces for several threads."""

import numpy as xp

from . import threads

PRODUCT = 1 << 22  # products with fewer multiplications are not cut
PIECE = 1 << 26  # multiplications in a piece of a large product, about


def matmul(a, b):
    """y = a b        a: (m, k), b: (k, n) -> (m, n). A large y is cut into pieces along its longer side."""
    (m, k), n = a.shape, b.shape[1]
    if k == 1:
        return a * b  # many times faster than OpenBLAS
    if m * k * n < PRODUCT or max(m, n) < 128 or min(m, n) == 1:
        return a @ b
    pieces = max(2, m * k * n // PIECE)  # does not depend on THREADS, because the pieces change the rounding
    y = xp.empty((m, n), xp.result_type(a, b))

    def compute(block):
        if m >= n:
            xp.matmul(a[block], b, out=y[block])
        else:
            xp.matmul(a, b[:, block], out=y[:, block])

    threads.run(compute, threads.cut(max(m, n), -(-max(m, n) // (64 * pieces)) * 64))
    return y

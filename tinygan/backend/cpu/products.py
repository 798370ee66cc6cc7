"""Matrix products, cut into pieces for all threads."""

import numpy as xp

from . import threads

PRODUCT = 1 << 22  # multiplications under which a product is not worth a second thread
PIECE = 1 << 26  # multiplications in a piece of a larger one; two pieces at least, each a multiple of 64 wide


def matmul(a, b):
    """a: (m, k), b: (k, n) -> (m, n), cut along the longer side of the result."""
    (m, k), n = a.shape, b.shape[1]
    if m * k * n < PRODUCT or max(m, n) < 128 or min(m, n) == 1:
        return a @ b
    pieces = max(2, m * k * n // PIECE)  # by the size alone: how a product is cut decides its last bits
    y = xp.empty((m, n), xp.result_type(a, b))

    def compute(block):
        if m >= n:
            xp.matmul(a[block], b, out=y[block])
        else:
            xp.matmul(a, b[:, block], out=y[:, block])

    threads.run(compute, threads.cut(max(m, n), -(-max(m, n) // (64 * pieces)) * 64))
    return y

"""Matrix products, cut into pieces for all threads."""

import numpy as xp

from . import threads

PRODUCT = 1 << 22  # multiplications; a smaller product is computed by one thread
PIECE = 1 << 26  # multiplications in a piece of a larger product; at least two pieces, their widths multiples of 64


def matmul(a, b):
    """y = a b, cut along the longer side of y: a: (m, k), b: (k, n) -> (m, n)"""
    (m, k), n = a.shape, b.shape[1]
    if k == 1:
        return a * b  # OpenBLAS is many times slower
    if m * k * n < PRODUCT or max(m, n) < 128 or min(m, n) == 1:
        return a @ b
    pieces = max(2, m * k * n // PIECE)  # chosen from the size only: where a product is cut changes its rounding
    y = xp.empty((m, n), xp.result_type(a, b))

    def compute(block):
        if m >= n:
            xp.matmul(a[block], b, out=y[block])
        else:
            xp.matmul(a, b[:, block], out=y[:, block])

    threads.run(compute, threads.cut(max(m, n), -(-max(m, n) // (64 * pieces)) * 64))
    return y

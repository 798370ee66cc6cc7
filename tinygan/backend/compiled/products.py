"""Matrix products of two arrays, tile by tile. The second factor may be too large for the cache, so it is cut."""

import functools

import numba
import numpy as np

from .. import cpu
from .cache import kernel
from .tile import TILE, VECTOR, WIDEST, matrix_rows, offsets, row_of_tiles

PRODUCT = 1 << 20  # NumPy computes products with fewer multiplications
BLOCK = 16  # rows of a factor that one iteration copies
DEPTH = 2048  # rows of a panel (see _panels) that are multiplied at a time; they fit in the cache
DEEP = 256  # a transposed first factor with at least this many columns is copied
TASKS = 16  # a product is divided into at least this number of tasks for the threads


def matmul(a, b):
    """y = a b        a: (m, k), b: (k, n) -> (m, n)"""
    (m, k), n = a.shape, b.shape[1]
    if m * k * n < PRODUCT or min(m, n, k) < 8:
        return cpu.matmul(a, b)
    if not b.flags.c_contiguous and b.size > 4 * a.size:  # copying b is slow: y^T = b^T a^T
        return np.ascontiguousarray(matmul(b.T, a.T).T)
    lanes = VECTOR // a.itemsize
    width = -(-n // lanes) * lanes  # whole vectors
    y = np.empty((m, width), a.dtype)
    a, *a_offsets = _first(a)
    panels = _panels(*_second(b), k, n, lanes)
    _matmul(y.reshape(-1), matrix_rows(m, width), a, *a_offsets, panels, width, lanes)
    return y if width == n else np.ascontiguousarray(y[:, :n])


def _first(a):
    """Return the first factor as a flat array, the offsets of its rows, and the offsets of its columns."""
    m, k = a.shape
    if a.flags.f_contiguous and not a.flags.c_contiguous:
        if k < DEEP:
            return a.T.reshape(-1), offsets(np.arange(m)), np.arange(k) * m
        return _columns_of_tiles(a.T, -(-m // TILE)).reshape(-1), *_tile_offsets(m, k)
    return np.ascontiguousarray(a).reshape(-1), matrix_rows(m, k), np.arange(k)


@functools.lru_cache(1024)
def _tile_offsets(m, k):
    """Return the offsets of the rows, and of the columns, of the first factor after _columns_of_tiles has copied it."""
    rows = np.arange(-(-m // TILE) * TILE)
    return rows // TILE * (k * TILE) + rows % TILE, np.arange(k) * TILE


@kernel
def _columns_of_tiles(a, tiles):
    """Copy a: (k, m), the transpose of the first factor, in tiles of TILE columns: (tiles, k, TILE).

    In the copy the numbers of a tile are neighbours, so they are read faster.
    """
    k, m = a.shape
    copy = np.empty((tiles, k, TILE), a.dtype)
    for block in numba.prange(-(-k // BLOCK)):
        for i in range(block * BLOCK, min(k, (block + 1) * BLOCK)):
            for tile in range(tiles):
                for r in range(TILE):
                    copy[tile, i, r] = a[i, min(tile * TILE + r, m - 1)]
    return copy


def _second(b):
    """Return the second factor as a flat array, the distance between two rows, and between two columns."""
    k, n = b.shape
    if b.flags.f_contiguous and not b.flags.c_contiguous:
        return b.T.reshape(-1), 1, k
    return np.ascontiguousarray(b).reshape(-1), n, 1


@kernel
def _panels(b, row, column, k, n, lanes):
    """Copy b: (k, n) into contiguous panels that are as wide as a tile: (panels, k, width). The rest of the last is 0.

    b: a flat array. row, column: the distance between two rows, and between two columns.
    """
    width = WIDEST * lanes
    panels = np.empty((-(-n // width), k, width), b.dtype)
    for block in numba.prange(-(-k // BLOCK)):
        first, last = block * BLOCK, min(k, (block + 1) * BLOCK)
        for panel in range(len(panels)):
            j, used = panel * width, min(width, n - panel * width)
            if used < width:
                panels[panel, first:last, used:] = 0
            if column == 1:
                for i in range(first, last):
                    for x in range(used):
                        panels[panel, i, x] = b[i * row + j + x]
            else:
                for x in range(used):
                    for i in range(first, last):
                        panels[panel, i, x] = b[i + (j + x) * column]
    return panels


@kernel
def _matmul(y, y_rows, a, rows, columns, panels, n, lanes):
    """Compute y = a b. A task computes some rows of y, in the columns of one panel of b."""
    width, depth, tiles = panels.shape[2], len(columns), len(rows) // TILE
    parts = -(-TASKS // len(panels))
    for task in numba.prange(len(panels) * parts):
        panel, part = task // parts, task % parts
        j = panel * width
        for k in range(0, depth, DEPTH):
            columns_k, b = columns[k : k + DEPTH], panels[panel, k : k + DEPTH]
            for tile in range(part * tiles // parts, (part + 1) * tiles // parts):
                row_of_tiles(y[j:], y_rows, tile * TILE, a, rows, columns_k, b, min(width, n - j), lanes, k > 0)

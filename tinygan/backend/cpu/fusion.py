"""Elementwise functions and column sums with NumPy. Threads compute them block by block.

The intermediate results of a block stay in the cache. So each array is read from main memory once.
"""

import functools
import inspect
import math

import numpy

from . import threads
from .parts import one_by_one, sums

BLOCK = 1 << 17  # elements in a block: 512 KiB in float32. With smaller blocks, threads often wait for Python's lock
ROW = 1 << 13  # short rows are joined into rows of up to this number of elements


def fuse(function):
    """See backend.fuse."""

    @one_by_one
    def fused(*args, out=None):
        shape, blocks, select = _cut(args)
        if out is None:
            dtype = next(a.dtype for a in args if isinstance(a, numpy.ndarray))
            if len(blocks) == 1 and (result := function(*select(blocks[0]))).base is None:  # no view of an argument
                return result.reshape(shape).astype(dtype, copy=False)
            out = numpy.empty(shape, dtype)
        targets = out if isinstance(out, tuple) else (out,)
        if not all(array.flags.c_contiguous for array in targets or args if isinstance(array, numpy.ndarray)):
            raise ValueError("a fused function needs C-contiguous arrays as `out`")

        columns, joined, _ = _layout(shape)

        def compute(block):
            results = function(*select(block))
            for target, result in zip(targets, results if isinstance(results, tuple) else (results,)):
                target.reshape(-1, columns * joined)[block] = result

        threads.run(compute, blocks)
        return out

    return fused


def add_into(targets, parts):
    """See backend.add_into."""
    for target, (first, *others) in zip(targets, parts, strict=True):
        if others:
            numpy.add(first, others[0], out=target)
        else:
            target[...] = first
        for other in others[1:]:
            target += other


def scatter(x, index, shape):
    """See backend.scatter."""
    y = numpy.zeros(shape, x.dtype)
    y[index] = x
    return y


def squared_norms(x):
    """See backend.squared_norms."""
    return (x * x).reshape(len(x), math.prod(x.shape[1:])).sum(1)


def interpolate(a, b, t):
    """See backend.interpolate."""
    return a + t * (b - a)


def gather(rows, order, position, n, factor, offset):
    """See backend.gather."""
    start = int(position[0])
    chosen = rows.take(order[start : start + n], axis=0).astype("float32", copy=False)
    if factor != 1.0:
        chosen *= numpy.float32(factor)
    return chosen - numpy.float32(offset) if offset else chosen


def column_sums(function, *args, parts=1, out=None, then=None):
    """See backend.column_sums."""
    return sums(functools.partial(_column_sums, inspect.unwrap(function)), args, parts, out, then)


def _column_sums(function, *args, out):
    """Return the sums over all rows. They are computed as products with ones, which is faster than `x.sum(0)`."""
    shape, blocks, select = _cut(args)

    def partial(block):
        parts = function(*select(block))
        parts = parts if isinstance(parts, tuple) else (parts,)
        if out is not None:
            out.reshape(-1, parts[0].shape[-1])[block] = parts[0]
        ones = numpy.ones(len(parts[0]), parts[0].dtype)
        return [ones @ part for part in parts]

    columns = shape[-1] if len(shape) > 1 else 1
    return [numpy.stack(each).sum(0).reshape(-1, columns).sum(0) for each in zip(*threads.run(partial, blocks))]


def mean_and_variance(x, parts=1, then=None):
    """See backend.mean_and_variance."""
    return sums(_mean_and_variance, (x,), parts, None, then)


def _mean_and_variance(x, out):
    """Return mean and biased variance over all axes but the last: (..., C) -> (C,), (C,).

    E[x^2] - mean^2 would lose digits in float32. So x is centred before it is squared. Each block is centred by its own
    mean m, while the block is in the cache. For blocks of n rows (Chan, Golub & LeVeque 1983, equation 1.5):

        sum over all x of (x - mean)^2 = sum over all x of (x - m)^2 + sum over all blocks of n (m - mean)^2
    """
    shape, blocks, select = _cut((x,))

    def partial(block):
        (x,) = select(block)
        ones = numpy.ones(len(x), x.dtype)
        mean = ones @ x / len(x)
        centred = x - mean
        centred *= centred
        return len(x), mean, ones @ centred

    counts, means, squares = zip(*threads.run(partial, blocks))
    means, squares = (numpy.concatenate(rows).reshape(-1, shape[-1]) for rows in (means, squares))
    fractions = numpy.repeat(counts, len(means) // len(counts)).astype(x.dtype) * (shape[-1] / x.size)
    mean = fractions @ means
    return mean, squares.sum(0) * (shape[-1] / x.size) + fractions @ (means - mean) ** 2


def _cut(args):
    """Return the shape of the large arguments, the blocks, and a function that returns the arguments for a block.

    A block is a slice of rows. Short rows are joined, because NumPy has a start-up cost for each row. Arguments (C,)
    are repeated to the length of the joined rows.
    """
    shapes = (a.shape for a in args if isinstance(a, numpy.ndarray))
    shape = max(shapes, key=lambda shape: (len(shape), math.prod(shape)))
    columns, joined, blocks = _layout(shape)
    large = [isinstance(a, numpy.ndarray) and a.shape == shape for a in args]

    def prepare(a, whole):
        if whole:
            return a.reshape(-1, columns * joined)
        per_channel = isinstance(a, numpy.ndarray) and a.ndim and len(a) == columns > 1
        return numpy.broadcast_to(a, (joined, columns)).reshape(-1) if per_channel else a

    args = [prepare(a, whole) for a, whole in zip(args, large)]
    return shape, blocks, lambda block: [a[block] if whole else a for a, whole in zip(args, large)]


@functools.lru_cache(1024)
def _layout(shape):
    """Return, for arrays of this shape: elements in a row, number of rows to join into one, blocks of joined rows."""
    columns = max(1, shape[-1]) if len(shape) > 1 else 1
    size = math.prod(shape)
    rows = size // columns
    joined = math.gcd(rows, 1 << max(0, (ROW // columns).bit_length() - 1)) or 1
    return columns, joined, threads.cut_evenly(rows // joined, size, BLOCK) if size > BLOCK else [slice(None)]

"""Elementwise functions and sums over columns, block by block on all cores.

The intermediate results of a block stay in the cache, so that memory is read once.
"""

import functools
import inspect
import math

import numpy

from . import threads
from .parts import one_by_one, sums

BLOCK = 1 << 17  # elements of a block, 512 KiB in float32. Smaller blocks would compete for Python's lock
ROW = 1 << 13  # elements of a row, where rows can be joined


def fuse(function):
    """See backend.fuse."""

    @one_by_one
    def fused(*args, out=None):
        shape, blocks, take = _cut(args)
        if out is None:
            dtype = next(a.dtype for a in args if isinstance(a, numpy.ndarray))
            if len(blocks) == 1 and (result := function(*take(blocks[0]))).base is None:  # not a view of an argument
                return result.reshape(shape).astype(dtype, copy=False)
            out = numpy.empty(shape, dtype)
        targets = out if isinstance(out, tuple) else (out,)
        if not all(array.flags.c_contiguous for array in targets or args if isinstance(array, numpy.ndarray)):
            raise ValueError("a fused function writes to C-contiguous arrays")

        columns, joined, _ = _layout(shape)

        def compute(block):
            results = function(*take(block))
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
    return (x * x).reshape(len(x), -1).sum(1)


def interpolate(a, b, t):
    """See backend.interpolate."""
    return a + t * (b - a)


def gather(table, order, position, n, factor, offset):
    """See backend.gather."""
    start = int(position[0])
    rows = table.take(order[start : start + n], axis=0).astype("float32", copy=False)
    if factor != 1.0:
        rows *= numpy.float32(factor)
    return rows - numpy.float32(offset) if offset else rows


def column_sums(function, *args, parts=1, out=None, then=None):
    """See backend.column_sums."""
    return sums(functools.partial(_column_sums, inspect.unwrap(function)), args, parts, out, then)


def _column_sums(function, *args, out):
    """Return the sums of all rows. A product with ones is faster than `x.sum(0)`."""
    shape, blocks, take = _cut(args)

    def partial(block):
        parts = function(*take(block))
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
    """Return mean and (biased) variance over all axes but the last: (..., C) -> (C,), (C,).

    E[x^2] - mean^2 would lose digits in float32, so x is centred before it is squared. Each block is centred by its own
    mean while it is in the cache. For groups of n numbers (Chan, Golub & LeVeque 1983, equation 1.5):
        sum (x - mean)^2 = sum of (x - its group's mean)^2 + sum of n (its mean - mean)^2
    """
    shape, blocks, take = _cut((x,))

    def partial(block):
        (x,) = take(block)
        ones = numpy.ones(len(x), x.dtype)
        mean = ones @ x / len(x)
        centred = x - mean
        centred *= centred
        return len(x), mean, ones @ centred

    counts, means, squares = zip(*threads.run(partial, blocks))
    means, squares = (numpy.concatenate(rows).reshape(-1, shape[-1]) for rows in (means, squares))
    share = numpy.repeat(counts, len(means) // len(counts)).astype(x.dtype) * (shape[-1] / x.size)
    mean = share @ means
    return mean, squares.sum(0) * (shape[-1] / x.size) + share @ (means - mean) ** 2


def _cut(args):
    """Return (shape of the large arguments, blocks of their rows, function from a block to the arguments for it).

    Rows are joined to at most ROW elements, because NumPy pays a start-up cost per row. Arguments (C,) are repeated to
    match.
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
    """Return (elements in a row of an array of this shape, number of rows joined to one, blocks of joined rows)."""
    columns = max(1, shape[-1]) if len(shape) > 1 else 1
    size = math.prod(shape)
    rows = size // columns
    joined = math.gcd(rows, 1 << max(0, (ROW // columns).bit_length() - 1)) or 1
    return columns, joined, threads.cut_evenly(rows // joined, size, BLOCK) if size > BLOCK else [slice(None)]

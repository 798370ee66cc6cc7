"""Elementwise functions and column sums with NumPy. Threads compute them block by block.

The intermediate results of a block stay in the cache. So each array is read from main memory once.
"""

import functools
import inspect
import math

import numpy

from . import threads

BLOCK = 1 << 17  # elements in a block: 512 KiB in float32. With smaller blocks, threads often wait for Python's lock
ROW = 1 << 13  # short rows are joined into rows of up to this number of elements


def fuse(function):
    """See backend.fuse."""

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


def copy_into(targets, sources):
    """See backend.copy_into."""
    for target, source in zip(targets, sources, strict=True):
        target[...] = source


def gather(rows, order, position, n, factor, offset):
    """See backend.gather."""
    start = int(position[0])
    chosen = rows.take(order[start : start + n], axis=0).astype("float32", copy=False)
    if factor != 1.0:
        chosen *= numpy.float32(factor)
    return chosen - numpy.float32(offset) if offset else chosen


def column_sums(function, *args):
    """See backend.column_sums. A sum over rows is a product with ones, which is faster than `x.sum(0)`."""
    function = inspect.unwrap(function)
    shape, blocks, select = _cut(args)

    def partial(block):
        results = function(*select(block))
        results = results if isinstance(results, tuple) else (results,)
        ones = numpy.ones(len(results[0]), results[0].dtype)
        return [ones @ result for result in results]

    columns = shape[-1] if len(shape) > 1 else 1
    sums = [numpy.stack(each).sum(0).reshape(-1, columns).sum(0) for each in zip(*threads.run(partial, blocks))]
    return sums if len(sums) > 1 else sums[0]


def mean_and_variance(x):
    """See backend.mean_and_variance.

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

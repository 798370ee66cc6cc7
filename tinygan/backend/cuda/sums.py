"""Column sums of an elementwise function, in one or two kernels. The array of the function's values is not stored."""

import functools
import inspect
import math

import cupy as xp
import numpy as np

from ... import backend
from .expression import trace
from .fusion import THREADS, arguments, columns_of, inputs, kinds_of, program_of

BLOCKS = 528  # enough blocks to keep a large GPU busy: four for each of 132 multiprocessors
ROWS = 16  # if the rows are divided into slabs, each thread reads at least about this number of rows

SUMS = """
// sums of the columns of an elementwise function: (rows, COLUMNS) -> (gridDim.y, COLUMNS). The rows are divided into
// gridDim.y slabs. A block has DOWN x ACROSS threads, and sums ACROSS columns of one slab. Thread (down, across) sums
// rows down, down + DOWN, ... of one column. Then the DOWN sums of each column are added up
extern "C" __global__ void tinygan_sums({parameters}, int rows) {{
    __shared__ Real partial[DOWN][ACROSS];
    const int across = threadIdx.x % ACROSS, down = threadIdx.x / ACROSS;
    const int column = blockIdx.x * ACROSS + across;
    const int slab = (rows + gridDim.y - 1) / gridDim.y, first = blockIdx.y * slab, end = min(first + slab, rows);
    {zeros}
    if (column < COLUMNS)
        #pragma unroll 4
        for (int row = first + down; row < end; row += DOWN) {{
            const Index i = (Index)row * COLUMNS + column;
            {loads}
            {lines}
            {adds}
        }}
    {reductions}
}}
"""
REDUCTION = """
    __syncthreads();
    partial[down][across] = sum{k};
    for (int half = DOWN / 2; half > 0; half /= 2) {{
        __syncthreads();
        if (down < half) partial[down][across] += partial[down + half][across];
    }}
    if (down == 0 && column < COLUMNS) sums{k}[(Index)blockIdx.y * COLUMNS + column] = partial[0][across];
"""


def column_sums(function, *args):
    """See backend.column_sums."""
    results = sums(inspect.unwrap(function), args)
    return results if len(results) > 1 else results[0]


def sums(function, args):
    """Return a list: the column sums of each result of a function.

    Many rows are divided into slabs, so that more blocks run at the same time. The same kernel then sums the slabs.
    """
    shape, dtype, kinds = kinds_of(args)
    columns = columns_of(shape)
    rows, across = math.prod(shape) // columns, 1
    while across < min(columns, 32):
        across *= 2
    wide, down = -(-columns // across), THREADS // across  # blocks side by side; rows that a block reads at a time
    slabs = max(1, min(BLOCKS // wide, rows // (ROWS * down), 64))
    program, count = _summing(function, kinds, dtype, ACROSS=across, DOWN=down, COLUMNS=columns)
    results = [xp.empty((slabs, columns), dtype) for _ in range(count)]
    program((wide, slabs), (THREADS,), (*arguments(args, kinds, dtype), *results, np.int32(rows)))
    if slabs == 1:
        return [result[0] for result in results]
    return sums(_all, results)


def _all(*results):
    return results


def mean_and_variance(x):
    """See backend.mean_and_variance. One pass computes the sums of x - s and (x - s)^2, where s is the first row of x.

    var = E[(x - s)^2] - (mean - s)^2. Because s is a value of x, this loses fewer digits than E[x^2] - mean^2 if the
    mean is far from 0 (Chan, Golub & LeVeque 1983).
    """
    columns = columns_of(x.shape)
    first = xp.ascontiguousarray(x).reshape(-1, columns)[0]
    mean, var = xp.empty((2, columns), x.dtype)
    _moments(first, columns / x.size, *column_sums(_powers, x, first), out=(mean, var))
    return mean, var


def _powers(x, s):
    return x - s, (x - s) * (x - s)


@backend.fuse
def _moments(s, share, total, squares):
    mean = total * share
    return s + mean, backend.xp.maximum(squares * share - mean * mean, 0.0)


@functools.cache
def _summing(function, kinds, dtype, **sizes):
    source, count = sums_source(function, kinds, dtype, **sizes)
    return xp.RawKernel(source, "tinygan_sums"), count


def sums_source(function, kinds, dtype, **sizes):
    """Return the source of the kernel, and the number of results of the function. kinds: those of its arguments."""
    parameters, loads, names = inputs(kinds, "column")
    lines, results = trace(function, names)
    each = range(len(results))
    source = SUMS.format(
        parameters=", ".join(parameters + [f"Real* sums{k}" for k in each]),
        zeros=" ".join(f"Real sum{k} = 0;" for k in each),
        loads=loads,
        lines="\n            ".join(lines),
        adds=" ".join(f"sum{k} += {r};" for k, r in enumerate(results)),
        reductions="".join(REDUCTION.format(k=k) for k in each),
    )
    return program_of(source, dtype, "long long", **sizes), len(results)

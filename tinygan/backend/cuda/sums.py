"""Column sums of an elementwise function in one kernel. It can also apply a second function to the sums."""

import functools
import inspect
import math

import cupy as xp
import numpy as np

from ... import backend
from .expression import trace
from .fusion import THREADS, arguments, columns_of, inputs, kinds_of, program_of, writable
from .step_cache import counters

BLOCKS = 528  # enough blocks to keep a large GPU busy: four for each of 132 multiprocessors
ROWS = 16  # if the rows are divided into slabs, each thread reads at least about this number of rows

SUMS = """
// sums of the columns of an elementwise function: (rows, COLUMNS) -> (PARTS, COLUMNS). The rows are divided into PARTS
// parts, and each part into SLABS slabs. A block has DOWN x ACROSS threads, and sums ACROSS columns of one slab. Thread
// (down, across) sums rows down, down + DOWN, ... of one column. Then the DOWN sums of each column are added up
extern "C" __global__ void tinygan_sums({parameters}, int rows) {{
    __shared__ Real partial[DOWN][ACROSS];
    const int across = threadIdx.x % ACROSS, down = threadIdx.x / ACROSS;
    const int column = blockIdx.x * ACROSS + across;
    const int part = blockIdx.y / SLABS, rows_of_part = rows / PARTS, slab = (rows_of_part + SLABS - 1) / SLABS;
    const int first = part * rows_of_part + blockIdx.y % SLABS * slab;
    const int end = min(first + slab, (part + 1) * rows_of_part);
    {zeros}
    if (column < COLUMNS)
        #pragma unroll 4
        for (int row = first + down; row < end; row += DOWN) {{
            const Index i = (Index)row * COLUMNS + column;
            {loads}
            {lines}
            {stores}
        }}
    {reductions}
    {finish}
}}
"""
FINISH = """if (down == 0 && column < COLUMNS) {{
        {lines}
    }}"""
SLABS = """
    // each block stores its sums. The last block of these columns then adds up the sums of all slabs, in a fixed order
    __shared__ bool last;
    if (down == 0 && column < COLUMNS) {{ {stores} }}
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) last = atomicAdd(&arrived[blockIdx.x], 1u) == PARTS * SLABS - 1;
    __syncthreads();
    if (!last) return;
    __threadfence();
    if (threadIdx.x == 0) arrived[blockIdx.x] = 0;
    for (int part = 0; part < PARTS; part++) {{
    {zeros}
    if (column < COLUMNS)
        for (int y = down; y < SLABS; y += DOWN) {{ {adds} }}
    {reductions}
    {finish}
    }}
"""
REDUCTION = """
    __syncthreads();
    partial[down][across] = sum{k};
    for (int half = DOWN / 2; half > 0; half /= 2) {{
        __syncthreads();
        if (down < half) partial[down][across] += partial[down + half][across];
    }}
    __syncthreads();
    total{k} = partial[0][across];
"""


def column_sums(function, *args, parts=1, out=None, then=None):
    """See backend.column_sums. This is one kernel."""
    results = sums(function, args, parts, out, then)
    return results if len(results) > 1 else results[0]


def sums(function, args, parts=1, out=None, then=None):
    """Return a list: the column sums of each result of a function, or the arrays of `then`. See backend.column_sums.

    Many rows are divided into slabs, so that more blocks run at the same time. The last block to finish adds up the
    sums of the slabs and applies `then`. It does this for one part after the other, because `then` may update an array
    with each part.
    """
    shape, dtype, kinds = kinds_of(args, parts)
    columns = columns_of(shape)
    rows, across = math.prod(shape) // columns, 1
    while across < min(columns, 32):
        across *= 2
    wide, down = -(-columns // across), THREADS // across  # blocks side by side; rows that a block reads at a time
    slabs = max(1, min(BLOCKS // wide, rows // parts // (ROWS * down), 64))
    sizes = dict(ACROSS=across, DOWN=down, COLUMNS=columns, SLABS=slabs, PARTS=parts)
    last, more, outs = (then.func, then.args, then.keywords["out"]) if then else (None, (), ())
    of_results = "".join(_kind_of_result(a, more, parts, columns) for a in outs) or ("p" if parts > 1 else "r")
    of_more = "".join(_kind(a, columns) for a in more)
    program, count = _summing(function, kinds, dtype, out is not None, last, of_more, of_results, **sizes)
    results = outs or [xp.empty((parts, columns) if parts > 1 else columns, dtype) for _ in range(count)]
    if any(isinstance(a, xp.ndarray) and a.dtype.name != dtype for a in (*more, *outs)):
        raise TypeError(f"the arrays of a function after column sums must be {dtype}, like the arrays that are summed")
    values = (*arguments(args, kinds, dtype), *(() if out is None else (writable(out),)))
    values += (*arguments(more, of_more, dtype), *map(writable, results))
    if parts * slabs > 1:
        values += xp.empty((count, parts * slabs, columns), dtype), counters(max(BLOCKS, wide))
    program((wide, parts * slabs), (THREADS,), (*values, np.int32(rows)))
    return list(results)


def _kind(a, columns):
    """Return the kind of an array or number of `then` (see fusion.py)."""
    if not isinstance(a, xp.ndarray):
        return "s"
    return "n" if a.size == 1 else "r" if a.size == columns else "p"


def _kind_of_result(a, more, parts, columns):
    """Return the kind of a result of `then`. a: the result is added up over the parts, because it is not in `more`."""
    added = parts > 1 and a.size == columns and not any(a is x for x in more)
    return "a" if added else _kind(a, columns)


def mean_and_variance(x, parts=1, then=None):
    """See backend.mean_and_variance. One pass computes the sums of x - s and (x - s)^2, where s is the first row of x.

    var = E[(x - s)^2] - (mean - s)^2. Because s is a value of x, this loses fewer digits than E[x^2] - mean^2 if the
    mean is far from 0 (Chan, Golub & LeVeque 1983).
    """
    columns = columns_of(x.shape)
    first = xp.ascontiguousarray(x).reshape(-1, columns)[0]
    shape = (parts, columns) if parts > 1 else (columns,)
    then = then or functools.partial(_both, out=(xp.empty(shape, x.dtype), xp.empty(shape, x.dtype)))
    function = _after_moments(inspect.unwrap(then.func))
    moments = functools.partial(function, first, parts * columns / x.size, *then.args, **then.keywords)
    return sums(_powers, (x, first), parts, None, moments)


def _powers(x, s):
    return x - s, (x - s) * (x - s)


def _both(mean, var):
    return mean, var


@functools.cache
def _after_moments(function):
    """Return a function of the sums of _powers. It computes mean and variance, and calls function(..., mean, var)."""

    def after(s, share, *args):
        *args, total, squares = args
        mean = total * share
        return function(*args, s + mean, backend.xp.maximum(squares * share - mean * mean, 0.0))

    return after


@functools.cache
def _summing(*what, **sizes):
    source, count = sums_source(*what, **sizes)
    return xp.RawKernel(source, "tinygan_sums"), count


def sums_source(function, kinds, dtype, stores, then, of_more, of_results, **sizes):
    """Return the source of the kernel, and the number of results of the function.

    stores: whether the first result is also written to an array. then: None, or a function then(*more, *sums). of_more:
    the kinds of its arguments `more`. of_results: the kinds of the arrays for its results. Without `then`, of_results
    is the kind of every array of sums.
    """
    of_part = "part * COLUMNS + column"
    parameters, loads, names = inputs(kinds, "column", of_part)
    lines, results = trace(inspect.unwrap(function), names)
    each = range(len(results))
    totals = [f"total{k}" for k in each]
    more, more_loads, more_names = inputs(of_more, "column", of_part, "b")
    last_lines, last = trace(inspect.unwrap(then), [*more_names, *totals], "w") if then else ([], totals)
    parameters += ["Real* y0"] * stores + more + [f"Real* sums{k}" for k in range(len(last))]
    kinds_of_results = of_results if then else of_results * len(last)
    writes = []
    for k, (kind, r) in enumerate(zip(kinds_of_results, last)):
        before = f"(part ? sums{k}[column] : 0) + " if kind == "a" else ""  # the sum of the parts before this one
        writes.append(f"sums{k}[{of_part if kind == 'p' else 'column'}] = {before}{r};")
    zeros = " ".join(f"sum{k} = 0;" for k in each)
    reductions = "".join(REDUCTION.format(k=k) for k in each)
    finish = FINISH.format(lines="\n        ".join([more_loads, *last_lines, *writes]))
    if sizes["PARTS"] * sizes["SLABS"] > 1:
        parameters += ["volatile Real* parts", "unsigned int* arrived"]
        where = "({k} * PARTS * SLABS + {y}) * COLUMNS + column"
        finish = SLABS.format(
            stores=" ".join(f"parts[{where.format(k=k, y='blockIdx.y')}] = total{k};" for k in each),
            zeros=zeros,
            adds=" ".join(f"sum{k} += parts[{where.format(k=k, y='part * SLABS + y')}];" for k in each),
            reductions=reductions,
            finish=finish,
        )
    source = SUMS.format(
        parameters=", ".join(parameters),
        zeros=" ".join(f"Real sum{k} = 0, total{k};" for k in each),
        loads=loads,
        lines="\n            ".join(lines),
        stores=" ".join([f"y0[i] = {results[0]};"] * stores + [f"sum{k} += {r};" for k, r in enumerate(results)]),
        reductions=reductions,
        finish=finish,
    )
    return program_of(source, dtype, "long long", **sizes), len(results)

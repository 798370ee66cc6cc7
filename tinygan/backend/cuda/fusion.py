"""Elementwise functions as one kernel each, and the sums of their columns.

The source of a kernel is a template and the lines of the function (expression.py). Each argument has a kind:

    m: an array of the largest shape (..., C)        r: an array (C,), one number for each column
    n: an array of one number                        s: a Python number
"""

import functools
import inspect
import math

import cupy as xp
import numpy as np

from .expression import PREAMBLE, trace

THREADS = 256  # of a block
BLOCKS = 528  # enough to keep a large card busy: four for each of 132 multiprocessors
ROWS = 16  # read by each thread of a sum at least

ELEMENTWISE = """
// an elementwise function: a thread for each element
extern "C" __global__ void tinygan_elementwise({parameters}, Index total) {{
    const Index i = (Index)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    {loads}
    {lines}
    {stores}
}}
"""
SUMS = """
// sums of the columns of an elementwise function: (rows, COLUMNS) -> (slabs, COLUMNS), of `slab` rows each. A block
// takes ACROSS columns of a slab, DOWN rows at a time, and then adds up its DOWN sums of each column by halves
extern "C" __global__ void tinygan_sums({parameters}, int rows, int slab) {{
    __shared__ Real partial[DOWN][ACROSS];
    const int across = threadIdx.x % ACROSS, down = threadIdx.x / ACROSS;
    const int column = blockIdx.x * ACROSS + across;
    const int first = blockIdx.y * slab, end = min(first + slab, rows);
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
}}
"""
ADD = """
// sums of several arrays each: one thread for each element of all targets, one after the other
extern "C" __global__ void tinygan_add({parameters}, Index total) {{
    const Index i = (Index)blockIdx.x * blockDim.x + threadIdx.x;
    {cases}
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
LOADS = {"m": "a{k}[i]", "r": "a{k}[{column}]", "n": "a{k}[0]", "s": "a{k}"}


def fuse(function):
    """See backend.fuse. One kernel, which writes its results directly to `out`."""

    def fused(*args, out=None):
        shape, dtype, kinds = _kinds(args)
        if out is None:
            out = xp.empty(shape, dtype)
        outs = out if isinstance(out, tuple) else (out,)
        total, columns = math.prod(shape), _columns(shape)
        if total:
            index, count = ("unsigned long long", np.uint64) if total >= 1 << 31 else ("unsigned int", np.uint32)
            program = _elementwise(function, kinds, len(outs), dtype, index, columns if "r" in kinds else 1)
            values = (*_arguments(args, kinds, dtype), *map(_writable, outs))
            program((-(-total // THREADS),), (THREADS,), (*values, count(total)))
        return out

    return fused


def add_into(targets, parts):
    """See backend.add_into. One kernel for all targets."""
    sizes = tuple((target.size, len(arrays)) for target, arrays in zip(targets, parts, strict=True))
    total = sum(n for n, _ in sizes)
    if not total:
        return
    dtype, arrays = targets[0].dtype.name, [xp.ascontiguousarray(a) for some in parts for a in some]
    program = _adding(sizes, dtype)
    program((-(-total // THREADS),), (THREADS,), (*map(_writable, targets), *arrays, np.uint32(total)))


def column_sums(function, *args, out=None):
    """See backend.column_sums. One kernel, and a second one where there are enough rows for several blocks."""
    results = sums(function, args, out)
    return results if len(results) > 1 else results[0]


def sums(function, args, out=None, most=64):
    """Return the column sums of each result of a function, (C,) each. out: an array that takes its first result.

    most: into how many slabs the rows are divided at most. The sums of slabs are added up by a second kernel.
    """
    shape, dtype, kinds = _kinds(args)
    columns = _columns(shape)
    rows, across = math.prod(shape) // columns, 1
    while across < min(columns, 32):
        across *= 2
    wide, down = -(-columns // across), THREADS // across  # blocks side by side, rows at a time
    slabs = max(1, min(BLOCKS // wide, rows // (ROWS * down), most))
    slab = -(-rows // slabs)
    sizes = dict(ACROSS=across, DOWN=down, COLUMNS=columns)
    program, count = _summing(function, kinds, dtype, out is not None, **sizes)
    results = [xp.empty((slabs, columns), dtype) for _ in range(count)]
    values = (*_arguments(args, kinds, dtype), *(() if out is None else (_writable(out),)), *results)
    program((wide, slabs), (THREADS,), (*values, np.int32(rows), np.int32(slab)))
    return [y[0] for y in results] if slabs == 1 else sums(_identities(count), results, most=1)


def mean_and_variance(x):
    """See backend.mean_and_variance. Two passes: the mean, then the squared deviations from it."""
    share = _columns(x.shape) / x.size
    mean = column_sums(_scaled, x, share)
    return mean, column_sums(_squared_deviation, x, mean, share)


def _scaled(x, factor):
    return x * factor


def _squared_deviation(x, mean, factor):
    return (x - mean) * (x - mean) * factor


@functools.cache
def _identities(count):
    return (lambda *xs: xs) if count > 1 else (lambda x: x)


def _kinds(args):
    """Return the largest shape of the arguments, their dtype, and a letter for the kind of each."""
    arrays = [a for a in args if isinstance(a, xp.ndarray)]
    shape = max((a.shape for a in arrays), key=lambda shape: (len(shape), math.prod(shape)))
    columns = _columns(shape)
    kinds = ""
    for a in args:
        if not isinstance(a, xp.ndarray):
            kinds += "s"
        elif a.shape == shape:
            kinds += "m"
        elif a.size == 1:
            kinds += "n"
        elif a.shape == (columns,):
            kinds += "r"
        else:
            raise ValueError(
                f"a fused function takes arrays of one shape (..., C), (C,) or (1,); got {a.shape} and {shape}"
            )
    dtypes = {a.dtype.name for a in arrays}
    if len(dtypes) != 1 or dtypes - {"float32", "float64"}:
        raise TypeError(f"a fused function needs float32 or float64 throughout; got {', '.join(sorted(dtypes))}")
    return shape, dtypes.pop(), kinds


def _columns(shape):
    return max(1, shape[-1]) if len(shape) > 1 else 1


def _arguments(args, kinds, dtype):
    return [np.dtype(dtype).type(a) if kind == "s" else xp.ascontiguousarray(a) for a, kind in zip(args, kinds)]


def _writable(out):
    if not out.flags.c_contiguous:
        raise ValueError("a fused function writes to arrays without gaps")
    return out


def _inputs(kinds, column):
    """Return the parameters of a kernel for arguments of these kinds, and the lines that load an element of each."""
    parameters = [f"Real a{k}" if kind == "s" else f"const Real* a{k}" for k, kind in enumerate(kinds)]
    loads = [f"const Real x{k} = {LOADS[kind].format(k=k, column=column)};" for k, kind in enumerate(kinds)]
    return parameters, " ".join(loads), [f"x{k}" for k in range(len(kinds))]


@functools.cache
def _elementwise(function, kinds, count, dtype, index, columns):
    parameters, loads, names = _inputs(kinds, f"i % {columns}")
    lines, results = trace(inspect.unwrap(function), names)
    source = ELEMENTWISE.format(
        parameters=", ".join(parameters + [f"Real* y{k}" for k in range(count)]),
        loads=loads,
        lines="\n    ".join(lines),
        stores=" ".join(f"y{k}[i] = {result};" for k, result in zip(range(count), results, strict=True)),
    )
    return _kernel(source, "tinygan_elementwise", dtype, index)


@functools.cache
def _summing(function, kinds, dtype, stores, **sizes):
    """Return the kernel, and how many results the function has."""
    parameters, loads, names = _inputs(kinds, "column")
    lines, results = trace(inspect.unwrap(function), names)
    parameters += ["Real* y0"] * stores + [f"Real* sums{k}" for k in range(len(results))]
    source = SUMS.format(
        parameters=", ".join(parameters),
        zeros=" ".join(f"Real sum{k} = 0;" for k in range(len(results))),
        loads=loads,
        lines="\n            ".join(lines),
        stores=" ".join([f"y0[i] = {results[0]};"] * stores + [f"sum{k} += {r};" for k, r in enumerate(results)]),
        reductions="".join(REDUCTION.format(k=k) for k in range(len(results))),
    )
    return _kernel(source, "tinygan_sums", dtype, "long long", **sizes), len(results)


@functools.cache
def _adding(sizes, dtype):
    """sizes: (elements, number of parts) of each target."""
    parameters = [f"Real* y{k}" for k in range(len(sizes))]
    parameters += [f"const Real* a{k}_{part}" for k, (_, parts) in enumerate(sizes) for part in range(parts)]
    cases, start = [], 0
    for k, (n, parts) in enumerate(sizes):
        total = " + ".join(f"a{k}_{part}[j]" for part in range(parts))
        cases.append(f"if (i < {start + n}u) {{ const Index j = i - {start}u; y{k}[j] = {total}; return; }}")
        start += n
    source = ADD.format(parameters=", ".join(parameters), cases="\n    ".join(cases))
    return _kernel(source, "tinygan_add", dtype, "unsigned int")


def _kernel(source, name, dtype, index, **sizes):
    constants = "".join(f"constexpr int {key} = {value};\n" for key, value in sizes.items())
    real = {"float32": "float", "float64": "double"}[dtype]
    return xp.RawKernel(f"typedef {real} Real;\ntypedef {index} Index;\n{constants}{PREAMBLE}{source}", name)

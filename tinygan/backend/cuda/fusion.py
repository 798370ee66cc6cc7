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

from ... import backend
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
    if (down == 0 && column < COLUMNS) {{
        {finish}
    }}
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
    __syncthreads();
    const Real total{k} = partial[0][across];
"""
LOADS = {"m": "{a}[i]", "r": "{a}[{column}]", "n": "{a}[0]", "s": "{a}"}


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


def column_sums(function, *args, out=None, then=None):
    """See backend.column_sums. One kernel, and a second one where there are enough rows for several blocks."""
    results = sums(function, args, out, then)
    return results if len(results) > 1 else results[0]


def sums(function, args, out=None, then=None, most=64):
    """Return the column sums of each result of a function, (C,) each. out, then: see backend.column_sums.

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
    last, more, more_kinds, outs = None, (), "", ()
    if then and slabs == 1:
        last, more, outs = then.func, then.args, then.keywords["out"]
        more_kinds = "".join("s" if not isinstance(a, xp.ndarray) else "n" if a.size == 1 else "r" for a in more)
    program, count = _summing(function, kinds, dtype, out is not None, last, more_kinds, len(outs), **sizes)
    results = outs or [xp.empty((slabs, columns), dtype) for _ in range(count)]
    values = (*_arguments(args, kinds, dtype), *(() if out is None else (_writable(out),)))
    values += (*_arguments(more, more_kinds, dtype), *map(_writable, results))
    program((wide, slabs), (THREADS,), (*values, np.int32(rows), np.int32(slab)))
    if slabs > 1:
        return sums(_identities(count), results, None, then, most=1)
    return list(results) if last else [y[0] for y in results]


def mean_and_variance(x, then=None):
    """See backend.mean_and_variance. One pass: the sums of x - s and of its squares, with the first row of x as s.

    var = E(x - s)^2 - (mean - s)^2 loses few digits, because s is a value of x and not, say, 0 (Chan et al. 1983).
    """
    columns = _columns(x.shape)
    first = xp.ascontiguousarray(x).reshape(-1, columns)[0]
    then = then or functools.partial(_both, out=(xp.empty(columns, x.dtype), xp.empty(columns, x.dtype)))
    function = _after_moments(inspect.unwrap(then.func))
    moments = functools.partial(function, first, columns / x.size, *then.args, **then.keywords)
    return sums(_powers, (x, first), None, moments)


def _powers(x, s):
    return x - s, (x - s) * (x - s)


def _both(mean, var):
    return mean, var


@functools.cache
def _after_moments(function):
    """Return `function`, a function of mean and variance, as one of the sums of _powers."""

    def after(s, share, *args):
        *args, total, squares = args
        mean = total * share
        return function(*args, s + mean, backend.xp.maximum(squares * share - mean * mean, 0.0))

    return after


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


def _inputs(kinds, column, a="a"):
    """Return the parameters of a kernel for arguments of these kinds, and the lines that load an element of each."""
    parameters = [f"Real {a}{k}" if kind == "s" else f"const Real* {a}{k}" for k, kind in enumerate(kinds)]
    names = [f"{a}{k}_" for k in range(len(kinds))]
    values = [LOADS[kind].format(a=f"{a}{k}", column=column) for k, kind in enumerate(kinds)]
    return parameters, " ".join(f"const Real {name} = {v};" for name, v in zip(names, values)), names


@functools.cache
def _elementwise(*what):
    return xp.RawKernel(elementwise_source(*what), "tinygan_elementwise")


def elementwise_source(function, kinds, count, dtype, index, columns):
    """Return the source of the kernel of a function. kinds: of its arguments; count: how many results it has."""
    parameters, loads, names = _inputs(kinds, f"i % {columns}")
    lines, results = trace(inspect.unwrap(function), names)
    source = ELEMENTWISE.format(
        parameters=", ".join(parameters + [f"Real* y{k}" for k in range(count)]),
        loads=loads,
        lines="\n    ".join(lines),
        stores=" ".join(f"y{k}[i] = {result};" for k, result in zip(range(count), results, strict=True)),
    )
    return _program(source, dtype, index)


@functools.cache
def _summing(*what, **sizes):
    source, count = sums_source(*what, **sizes)
    return xp.RawKernel(source, "tinygan_sums"), count


def sums_source(function, kinds, dtype, stores, then, more_kinds, outs, **sizes):
    """Return the source of the kernel, and how many results the function has.

    stores: whether the first result is stored. then: the function that gets the sums after further arguments, or None.
    """
    parameters, loads, names = _inputs(kinds, "column")
    lines, results = trace(inspect.unwrap(function), names)
    totals = [f"total{k}" for k in range(len(results))]
    finish = [f"sums{k}[(Index)blockIdx.y * COLUMNS + column] = {total};" for k, total in enumerate(totals)]
    parameters += ["Real* y0"] * stores
    if then:
        more, more_loads, more_names = _inputs(more_kinds, "column", "b")
        last_lines, last = trace(inspect.unwrap(then), [*more_names, *totals], "w")
        parameters += [*more, *(f"Real* sums{k}" for k in range(outs))]
        finish = [more_loads, *last_lines, *(f"sums{k}[column] = {r};" for k, r in enumerate(last))]
    else:
        parameters += [f"Real* sums{k}" for k in range(len(results))]
    source = SUMS.format(
        parameters=", ".join(parameters),
        zeros=" ".join(f"Real sum{k} = 0;" for k in range(len(results))),
        loads=loads,
        lines="\n            ".join(lines),
        stores=" ".join([f"y0[i] = {results[0]};"] * stores + [f"sum{k} += {r};" for k, r in enumerate(results)]),
        reductions="".join(REDUCTION.format(k=k) for k in range(len(results))),
        finish="\n        ".join(finish),
    )
    return _program(source, dtype, "long long", **sizes), len(results)


@functools.cache
def _adding(sizes, dtype):
    return xp.RawKernel(add_source(sizes, dtype), "tinygan_add")


def add_source(sizes, dtype):
    """Return the source of the kernel of `add_into`. sizes: (elements, number of parts) of each target."""
    parameters = [f"Real* y{k}" for k in range(len(sizes))]
    parameters += [f"const Real* a{k}_{part}" for k, (_, parts) in enumerate(sizes) for part in range(parts)]
    cases, start = [], 0
    for k, (n, parts) in enumerate(sizes):
        total = " + ".join(f"a{k}_{part}[j]" for part in range(parts))
        cases.append(f"if (i < {start + n}u) {{ const Index j = i - {start}u; y{k}[j] = {total}; return; }}")
        start += n
    source = ADD.format(parameters=", ".join(parameters), cases="\n    ".join(cases))
    return _program(source, dtype, "unsigned int")


def _program(source, dtype, index, **sizes):
    constants = "".join(f"constexpr int {key} = {value};\n" for key, value in sizes.items())
    real = {"float32": "float", "float64": "double"}[dtype]
    return f"typedef {real} Real;\ntypedef {index} Index;\n{constants}{PREAMBLE}{source}"

"""Elementwise functions and column sums as compiled loops.

The source of a loop is made from a template. The loop calls the elementwise function, which Numba compiles too.
"""

import functools
import inspect
import math
from types import FunctionType

import numba
import numpy as np
from numba import types

from .. import cpu
from .cache import OPTIONS, kernel, name_by_content

BLOCK = 1 << 14  # elements in a block, which one thread computes; in column_sums, the least number of elements
COLUMNS = 1 << 13  # short rows are joined into rows of up to this number of elements: a long inner loop is faster
SUMS = 1 << 10  # the same limit in column_sums, where a row of sums must stay in the cache
FLOATS = (np.dtype("float32"), np.dtype("float64"))

FLAT = """
def loop({parameters}):
    for block in prange(-(-len({first}) // BLOCK)):
        start, stop = block * BLOCK, (block + 1) * BLOCK
        {slices}
        for i in range(len({first}_)):
            {results} = function({elements})
            {stores}
"""
ROWS = """
def loop({parameters}):
    for i in prange({first}.shape[0]):
        for j in range({first}.shape[1]):
            {results} = function({elements})
            {stores}
"""
SUM = """
def loop({parameters}):
    blocks, rows = len(y0), len({first})
    for block in prange(blocks):
        for i in range(block * rows // blocks, (block + 1) * rows // blocks):
            for j in range({first}.shape[1]):
                {results} = function({elements})
                {stores}
"""


def fuse(function):
    """See backend.fuse. NumPy computes the function unless the arrays are all float32 or all float64."""
    by_numpy = cpu.fuse(function)

    def fused(*args, out=None):
        arrays = [a for a in args if isinstance(a, np.ndarray)]
        if not _can_compile(arrays):
            return by_numpy(*args, out=out)
        if out is None:
            out = np.empty(_largest(arrays), arrays[0].dtype)
        targets = out if isinstance(out, tuple) else (out,)
        if not all(target.flags.c_contiguous for target in targets):
            raise ValueError("a fused function needs C-contiguous arrays as `out`")
        aliases = tuple(next((i for i, a in enumerate(args) if a is target), None) for target in targets)
        views, kinds = _arrange(args, COLUMNS)
        matrices = [target.reshape(views[kinds.index("m")].shape) for target in targets]
        run = _loop(function, ROWS if "r" in kinds else FLAT, kinds, arrays[0].dtype, aliases)
        run(*views, *(y for y, alias in zip(matrices, aliases) if alias is None))
        return out

    return fused


def column_sums(function, *args):
    """See backend.column_sums. Each block of rows has its own sums, and these are added at the end."""
    if not _can_compile([a for a in args if isinstance(a, np.ndarray)]):
        return cpu.column_sums(function, *args)
    views, kinds = _arrange(args, SUMS, flat=False)
    shape = _largest([a for a in args if isinstance(a, np.ndarray)])
    matrix, count = views[kinds.index("m")], _results(function, len(args))
    blocks = max(1, min(len(matrix), matrix.size // BLOCK, 64))
    totals = [np.zeros((blocks, matrix.shape[1]), matrix.dtype) for _ in range(count)]
    _loop(function, SUM, kinds, matrix.dtype, (None,) * count)(*views, *totals)
    columns = shape[-1] if len(shape) > 1 else 1
    sums = [total.sum(0).reshape(-1, columns).sum(0) for total in totals]
    return sums if count > 1 else sums[0]


@functools.cache
def _results(function, arguments):
    """Return how many results a function has."""
    results = inspect.unwrap(function)(*[np.ones(1)] * arguments)
    return len(results) if isinstance(results, tuple) else 1


def mean_and_variance(x):
    """See backend.mean_and_variance. The first pass sums x, the second the squared deviations from the mean."""
    if not _can_compile([x]):
        return cpu.mean_and_variance(x)
    rows = x.dtype.type(x.size // x.shape[-1])
    mean = column_sums(_identity, x) / rows
    return mean, column_sums(_squared_deviation, x, mean) / rows


def _identity(x):
    return x


def _squared_deviation(x, mean):
    return (x - mean) * (x - mean)


def _can_compile(arrays):
    return all(a.dtype == arrays[0].dtype for a in arrays) and arrays[0].dtype in FLOATS and _largest(arrays) != ()


def _largest(arrays):
    return max((a.shape for a in arrays), key=lambda shape: (len(shape), math.prod(shape)))


def _arrange(args, most, flat=True):
    """Return the arguments in the shapes that a compiled loop needs, and their kinds: a string with a letter for each.

    m: an array of the largest shape (..., C), as a matrix. Short rows are joined into rows of up to `most` elements. If
    flat is True and no argument has kind r, the array becomes a vector instead. r: an array (C,), repeated to the
    length of a row of the matrix. n: a number.
    """
    shape = _largest([a for a in args if isinstance(a, np.ndarray)])
    columns = max(1, shape[-1]) if len(shape) > 1 else 1
    kinds = "".join(_kind(a, shape, columns) for a in args)
    joined = math.gcd(math.prod(shape) // columns, 1 << max(0, (most // columns).bit_length() - 1)) or 1
    size = (-1,) if flat and "r" not in kinds else (-1, columns * joined)
    views = {
        "m": lambda a: np.ascontiguousarray(a).reshape(size),
        "r": lambda a: np.ascontiguousarray(np.broadcast_to(a, (joined, columns))).reshape(-1),
        "n": lambda a: a.item() if isinstance(a, np.ndarray) else float(a),
    }
    return [views[kind](a) for a, kind in zip(args, kinds)], kinds


def _kind(a, shape, columns):
    if not isinstance(a, np.ndarray) or (a.size == 1 and a.shape != shape):
        return "n"
    return "m" if a.shape == shape else "r"


@functools.cache
def _compile(function):
    """Compile an elementwise function, and the functions that it calls."""
    function = inspect.unwrap(function)
    called = {name: function.__globals__.get(name) for name in function.__code__.co_names}
    compiled = {name: _compile(value) for name, value in called.items() if inspect.isfunction(value)}
    names = {**function.__globals__, **compiled}
    copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    name_by_content(copy)
    return numba.njit(**OPTIONS)(copy)


@functools.cache
def _loop(function, template, kinds, dtype, aliases):
    """Compile a loop. kinds: see _arrange. aliases: for each result, the number of the argument that it overwrites, or
    None for a new array.
    """
    real = numba.from_dtype(dtype)
    args, dimensions = [f"a{i}" for i in range(len(kinds))], 1 if template is FLAT else 2
    outs = [f"y{k}" if alias is None else f"a{alias}" for k, alias in enumerate(aliases)]
    new = [y for y in outs if y not in args]
    element = {"m": "_[i]" if template is FLAT else "[i, j]", "r": "[j]", "n": ""}
    store = "[block, j] +=" if template is SUM else f"{element['m']} ="
    matrices = [a for a, kind in zip(args, kinds) if kind == "m"] + new
    source = template.format(
        parameters=", ".join(args + new),
        first=args[kinds.index("m")],
        results=", ".join(f"r{k}" for k in range(len(outs))),
        elements=", ".join(a + element[kind] for a, kind in zip(args, kinds)),
        slices="; ".join(f"{a}_ = {a}[start:stop]" for a in matrices),
        stores="; ".join(f"{y}{store} r{k}" for k, y in enumerate(outs)),
    )
    names = dict(function=_compile(function), prange=numba.prange, BLOCK=BLOCK, __name__=__name__)
    exec(compile(source, "<loop>", "exec"), names)
    signature = [
        real if kind == "n" else types.Array(real, 1 if kind == "r" else dimensions, "C", readonly=a not in outs)
        for a, kind in zip(args, kinds)
    ]
    signature += [types.Array(real, dimensions, "C")] * len(new)
    return kernel(names["loop"], types.void(*signature))

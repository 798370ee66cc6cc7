"""Elementwise functions as one kernel each.

The source of a kernel is a template, filled with the lines of the function (expression.py). Each argument has a kind:

    m: an array of the largest shape (..., C)        r: an array (C,), one number for each column
    n: an array of one number                        s: a Python number
"""

import functools
import inspect
import math

import cupy as xp
import numpy as np

from .expression import PREAMBLE, trace

THREADS = 256  # threads in a block
ARRAYS = 200  # copies that one kernel makes, at most. CUDA allows 4096 bytes of parameters: 512 arrays

ELEMENTWISE = """
// an elementwise function: one thread computes one element
extern "C" __global__ void tinygan_elementwise({parameters}, Index total) {{
    const Index i = (Index)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= total) return;
    {loads}
    {lines}
    {stores}
}}
"""
COPY = """
// several copies of arrays: one thread copies one element
extern "C" __global__ void tinygan_copy({parameters}) {{
    const Index i = blockIdx.x * blockDim.x + threadIdx.x;
    {cases}
}}
"""
LOADS = {"m": "{a}[i]", "r": "{a}[{column}]", "n": "{a}[0]", "s": "{a}"}


def fuse(function):
    """See backend.fuse."""

    def fused(*args, out=None):
        shape, dtype, kinds = kinds_of(args)
        if out is None:
            out = xp.empty(shape, dtype)
        outs = out if isinstance(out, tuple) else (out,)
        total, columns = math.prod(shape), columns_of(shape)
        if total:
            index, count = ("unsigned long long", np.uint64) if total >= 1 << 31 else ("unsigned int", np.uint32)
            columns = columns if "r" in kinds else 1
            program = _elementwise(function, kinds, len(outs), dtype, index, columns)
            values = (*arguments(args, kinds, dtype), *map(writable, outs))
            program((-(-total // THREADS),), (THREADS,), (*values, count(total)))
        return out

    return fused


def copy_into(targets, sources):
    """See backend.copy_into. One kernel makes all copies, or a few kernels if there are very many."""
    pairs = [(writable(t), xp.ascontiguousarray(a)) for t, a in zip(targets, sources, strict=True) if t.size]
    for start in range(0, len(pairs), ARRAYS):
        some, from_some = zip(*pairs[start : start + ARRAYS])
        sizes = tuple(target.size for target in some)
        program = _copying(sizes, some[0].dtype.name)
        program((-(-sum(sizes) // THREADS),), (THREADS,), (*some, *from_some))


def kinds_of(args):
    """Return the largest shape of the arguments, their dtype, and their kinds: a string with a letter for each."""
    arrays = [a for a in args if isinstance(a, xp.ndarray)]
    shape = max((a.shape for a in arrays), key=lambda shape: (len(shape), math.prod(shape)))
    columns = columns_of(shape)
    kinds = ""
    for a in args:
        if not isinstance(a, xp.ndarray):
            kinds += "s"
        elif a.size == 1 or (a.size and not any(a.strides)):  # one number, perhaps broadcast to a shape
            kinds += "n"
        elif a.shape == shape:
            kinds += "m"
        elif a.shape == (columns,):
            kinds += "r"
        else:
            raise ValueError(
                f"the arrays of a fused function must have one shape (..., C), or the shape (C,) or (1,); "
                f"got {a.shape} and {shape}"
            )
    dtypes = {a.dtype.name for a in arrays}
    if len(dtypes) != 1 or dtypes - {"float32", "float64"}:
        found = ", ".join(sorted(dtypes))
        raise TypeError(f"the arrays of a fused function must all be float32, or all float64; got {found}")
    return shape, dtypes.pop(), kinds


def columns_of(shape):
    return max(1, shape[-1]) if len(shape) > 1 else 1


def arguments(args, kinds, dtype):
    """Convert the arguments of a function to the arguments of its kernel."""
    make = {"s": np.dtype(dtype).type, "n": lambda a: a if a.size == 1 else a[(slice(1),) * a.ndim]}
    return [make.get(kind, xp.ascontiguousarray)(a) for a, kind in zip(args, kinds)]


def writable(out):
    if not out.flags.c_contiguous:
        raise ValueError("a fused function needs C-contiguous arrays as `out`")
    return out


def inputs(kinds, column):
    """Return the parameters of a kernel, code that loads an element of each, and the variables of these elements.

    kinds: the kinds of the arguments. column: the CUDA expression of the index into an array of kind r.
    """
    parameters = [f"Real a{k}" if kind == "s" else f"const Real* a{k}" for k, kind in enumerate(kinds)]
    names = [f"a{k}_" for k in range(len(kinds))]
    values = [LOADS[kind].format(a=f"a{k}", column=column) for k, kind in enumerate(kinds)]
    return parameters, " ".join(f"const Real {name} = {v};" for name, v in zip(names, values)), names


@functools.cache
def _elementwise(*what):
    return xp.RawKernel(elementwise_source(*what), "tinygan_elementwise")


def elementwise_source(function, kinds, count, dtype, index, columns):
    """Return the source of the kernel of a function.

    kinds: the kinds of the arguments. count: the number of results. index: the integer type of indices. columns: C, if
    an argument has kind r.
    """
    parameters, loads, names = inputs(kinds, f"i % {columns}")
    lines, results = trace(inspect.unwrap(function), names)
    source = ELEMENTWISE.format(
        parameters=", ".join(parameters + [f"Real* y{k}" for k in range(count)]),
        loads=loads,
        lines="\n    ".join(lines),
        stores=" ".join(f"y{k}[i] = {result};" for k, result in zip(range(count), results, strict=True)),
    )
    return program_of(source, dtype, index)


@functools.cache
def _copying(sizes, dtype):
    return xp.RawKernel(copy_source(sizes, dtype), "tinygan_copy")


def copy_source(sizes, dtype):
    """Return the source of the kernel of copy_into. sizes: the number of elements of each copy."""
    count = range(len(sizes))
    parameters = [f"Real* y{k}" for k in count] + [f"const Real* a{k}" for k in count]
    cases, start = [], 0
    for k, n in enumerate(sizes):
        cases.append(f"if (i < {start + n}u) {{ y{k}[i - {start}u] = a{k}[i - {start}u]; return; }}")
        start += n
    source = COPY.format(parameters=", ".join(parameters), cases="\n    ".join(cases))
    return program_of(source, dtype, "unsigned int")


def program_of(source, dtype, index, **sizes):
    constants = "".join(f"constexpr int {key} = {value};\n" for key, value in sizes.items())
    real = {"float32": "float", "float64": "double"}[dtype]
    return f"typedef {real} Real;\ntypedef {index} Index;\n{constants}{PREAMBLE}{source}"

"""Twins: NumPy versions of tinygan's CUDA kernels, for the stand-in. TWINS: {name of a kernel: its twin}.

test_cuda_kernels.py runs the kernels themselves on the CPU. It compares their results with NumPy's or with the twins'.
"""

import re
import types

import numpy as np


def philox(counter, key):
    """Return the four uint32 words of Philox 4x32-10 (Salmon et al. 2011) for a counter of four words and a key of two.

    A word of the counter is an array or a number.
    """
    c0, c1, c2, c3 = (np.asarray(word, "uint64") for word in counter)
    k0, k1 = (int(word) for word in key)
    low = 0xFFFFFFFF
    for _ in range(10):
        product0, product1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1 = (product1 >> 32) ^ c1 ^ k0, product1 & low
        c2, c3 = (product0 >> 32) ^ c3 ^ k1, product0 & low
        k0, k1 = (k0 + 0x9E3779B9) & low, (k1 + 0xBB67AE85) & low
    return tuple(word.astype("uint32") for word in (c0, c1, c2, c3))


def random_bits(draws, key, y):
    """Return two random words for each element of y. The counter is the element's index and the number of the draw."""
    element, draw = np.arange(y.size, dtype="uint64").reshape(y.shape), int(draws[0])
    return philox((element, 0, draw & 0xFFFFFFFF, draw >> 32), key)[:2]


def uniform(draws, key, y):
    x, _ = random_bits(draws, key, y)
    y[...] = (x >> 8).astype(y.dtype) * y.dtype.type(2.0**-24)


def normal(draws, key, y):
    real = y.dtype.type
    x, angle = (word.astype(y.dtype) for word in random_bits(draws, key, y))
    u = (x + real(1)) * real(2.0**-32)
    y[...] = np.sqrt(real(-2) * np.log(u)) * np.cos(real(2 * np.pi * 2.0**-32) * angle)


def windows(x, H, W, OH, OW, KH, KW, SH, SW, PH, PW, CHANNELS, LANES):
    """Return all patches of the images x, padded with zeros: (N, OH, OW, KH, KW, C)."""
    padded = np.pad(x, ((0, 0), (PH, PH), (PW, PW), (0, 0)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (KH, KW), axis=(1, 2))
    return view[:, ::SH, ::SW][:, :OH, :OW].transpose(0, 1, 2, 4, 5, 3)


def im2col(grid, block, x, columns, total, **sizes):
    columns[...] = windows(x, **sizes).reshape(columns.shape)


def col2im(grid, block, columns, x, total, **sizes):
    s = types.SimpleNamespace(**sizes)
    columns = columns.reshape(len(x), s.OH, s.OW, s.KH, s.KW, s.CHANNELS)
    padded = np.zeros((len(x), s.H + 2 * s.PH, s.W + 2 * s.PW, s.CHANNELS), x.dtype)
    for u in range(s.KH):
        for v in range(s.KW):
            padded[:, u : u + s.SH * s.OH : s.SH, v : v + s.SW * s.OW : s.SW] += columns[:, :, :, u, v]
    x[...] = padded[:, s.PH : s.PH + s.H, s.PW : s.PW + s.W]


def gather(grid, block, table, order, position, y, total, factor, offset, **sizes):
    start = int(position[0])
    y[...] = table[order[start : start + len(y)]].astype("float32") * factor - offset


def copy(code, grid, block, *values):
    """Interpret a kernel that makes several copies."""
    a = dict(zip(parameters_of(code), values))
    for target, source in re.findall(r"(y\d+)\[i - \d+u\] = (a\d+)\[i - \d+u\];", code):
        assert a[target].size == a[source].size
        a[target][...] = a[source].reshape(a[target].shape)


def elementwise(code, grid, block, *values):
    """Interpret a kernel that was generated from an elementwise function."""
    a = dict(zip(parameters_of(code), values))
    shape = next((a[name].shape for name in re.findall(r"= (a\d+)\[i\];", code)), None)
    for target, result in interpret(code, a, shape).items():
        if target.startswith("y"):
            a[target][...] = np.reshape(result, a[target].shape) if np.size(result) > 1 else result  # or one number


def sums(code, grid, block, *values, COLUMNS, **sizes):
    """Interpret a kernel that was generated for column sums: the sums of each slab of rows."""
    a = dict(zip(parameters_of(code), values))
    rows, slabs = int(a["rows"]), grid[1]
    slab = -(-rows // slabs)
    for target, result in interpret(code.split("__syncthreads")[0], a, (rows, COLUMNS)).items():
        if target.startswith("sum"):
            result = np.broadcast_to(result, (rows, COLUMNS))
            a[target.replace("sum", "sums")][...] = [result[i * slab : (i + 1) * slab].sum(0) for i in range(slabs)]


def parameters_of(code):
    """Return the names of a kernel's parameters."""
    inside = re.search(r"__global__ void \w+\(([^)]*)\)", code)[1]
    return [re.split(r"[\s*]+", parameter.strip())[-1] for parameter in inside.split(",")]


def interpret(code, arguments, shape):
    """Run the assignments of an elementwise kernel on arrays of this shape instead of single numbers.

    Returns {name: value} of the variables, of each y that is stored, and of each summand, by the name of its sum.
    """
    real = np.dtype({"float": "float32", "double": "float64"}[re.search(r"typedef (\w+) Real;", code)[1]]).type
    names = {"Real": real, "fabs": np.abs, **{name: getattr(np, name) for name in MATHEMATICS}}
    functions = {"whole": lambda a: a.reshape(shape), "one": lambda a: real(a.reshape(-1)[0])}
    values = {}
    line = r"(?:const Real (\w+)|(y\d+)\[i\]|(sum\d+)) \+?= (.*?);"
    for *targets, expression in re.findall(line, code[code.index("__global__") :]):
        expression = re.sub(r"(a\d+)\[i\]", r"whole(\1)", expression)
        expression = re.sub(r"(a\d+)\[0\]", r"one(\1)", expression)
        expression = re.sub(r"\[(?:column|i % \d+)\]", "", expression)
        value = eval(expression, {**names, **arguments, **functions, **values})
        values["".join(targets)] = np.asarray(value, real)  # a comparison gives 0 or 1
    return values


TWINS = {  # kernel name -> a function that writes its outputs
    "tinygan_uniform": uniform,
    "tinygan_normal": normal,
    "tinygan_im2col": im2col,
    "tinygan_col2im": col2im,
    "tinygan_gather": gather,
    "tinygan_elementwise": elementwise,
    "tinygan_sums": sums,
    "tinygan_copy": copy,
}
INTERPRETED = {"tinygan_elementwise", "tinygan_sums", "tinygan_copy"}  # these twins interpret the kernel's source
MATHEMATICS = "exp expm1 log log1p maximum minimum sign sqrt tanh".split()

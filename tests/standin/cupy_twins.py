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


def squared_norms(grid, block, x, y, **sizes):
    y[...] = (x * x).reshape(len(x), -1).sum(1)


def scatter(x, inner, n, start, count, y):
    y[...] = 0
    y.reshape(-1, n, inner)[:, start : start + count] = x.reshape(-1, count, inner)


def concatenate(width, *values):
    *parts, y = values
    rows = [a.reshape(y.size // width, n) for a, n in zip(parts[::2], parts[1::2])]
    y.reshape(-1, width)[...] = np.concatenate(rows, 1)


def interpolate(a, b, t, y):
    y[...] = a + t * (b - a)


def elementwise(code, grid, block, *values):
    """Interpret a kernel that was generated from an elementwise function."""
    parameters = parameters_of(code)
    a = dict(zip(parameters, values))
    shape = next((a[name].shape for name in re.findall(r"= (a\d+)\[i\];", code)), None)
    for target, _, result in interpret(code, a, shape, lambda a: a)[0]:
        a[target][...] = np.reshape(result, a[target].shape)


def sums(code, grid, block, *values, COLUMNS, SLABS, PARTS, **sizes):
    """Interpret a kernel that was generated for column sums."""
    a = dict(zip(parameters_of(code), values))
    rows = int(a["rows"])
    body, finish = code.split("if (down == 0 && column < COLUMNS) {\n")
    stores, added = interpret(
        body.split("__syncthreads")[0],
        a,
        (rows, COLUMNS),
        lambda a: np.repeat(a.reshape(PARTS, COLUMNS), rows // PARTS, 0),
    )
    for target, _, result in stores:
        a[target][...] = np.reshape(result, a[target].shape)
    finish = f"{code.split(';')[0]};__global__ {finish}"
    for part in range(PARTS):  # in this order, because the code after the sums may update an array with each part
        a["part"] = part
        for name, result in added:
            a[name] = sum_of_slabs(result.reshape(PARTS, -1, COLUMNS)[part], SLABS)
        for target, index, result in interpret(finish, a, (COLUMNS,), lambda a, p=part: a.reshape(-1, COLUMNS)[p])[0]:
            out = a[target].reshape(-1, COLUMNS)[part] if "part" in index else a[target]
            out.reshape(-1)[...] = np.ravel(result)


def sum_of_slabs(rows, slabs):
    """Return the sums of the columns. Like the kernel, sum each slab of rows first, then add up these sums."""
    slab = -(-len(rows) // slabs)
    sums = [rows[i * slab : (i + 1) * slab].sum(0) for i in range(slabs)]
    return np.sum(sums, 0) if slabs > 1 else sums[0]


def add(code, grid, block, *values):
    """Interpret a kernel in which each output is a sum of several arrays."""
    a = dict(zip(parameters_of(code), values))
    for target, parts in re.findall(r"(y\d+)\[j\] = (.*?);", code):
        names = re.findall(r"a\d+_\d+", parts)
        a[target][...] = sum(a[name].reshape(a[target].shape) for name in names)


def parameters_of(code):
    """Return the names of a kernel's parameters."""
    inside = re.search(r"__global__ void \w+\(([^)]*)\)", code)[1]
    return [re.split(r"[\s*]+", parameter.strip())[-1] for parameter in inside.split(",")]


def interpret(code, arguments, shape, of_part):
    """Run the assignments of an elementwise kernel on arrays of this shape instead of single numbers.

    of_part: a function that broadcasts an array with one row for each part of a batch to this shape. Returns two lists:
    (array, index, value) for each value that is stored, and (sum, value) for each value that is added to a sum. Arrays
    and sums are given by their names.
    """
    real = np.dtype({"float": "float32", "double": "float64"}[re.search(r"typedef (\w+) Real;", code)[1]]).type
    names = {"Real": real, "fabs": np.abs, **{name: getattr(np, name) for name in MATHEMATICS}}
    code, stores, added = code[code.index("__global__") :], [], []
    line = r"const Real (\w+) = (.*?);|((?:y|sums)\d+)\[(.*?)\] = (.*?);|sum(\d+) \+= (.*?);"
    for name, expression, target, index, stored, k, summand in re.findall(line, code):
        expression = re.sub(r"(a\d+)\[i\]", lambda m: f"whole({m[1]})", expression or stored or summand)
        expression = re.sub(r"([ab]\d+)\[0\]", lambda m: f"one({m[1]})", expression)
        expression = re.sub(r"([ab]\d+)\[(?:part|i /)[^\]]*\]", lambda m: f"of_part({m[1]})", expression)
        expression = re.sub(r"\[(?:column|i % \d+)\]", "", expression)
        expression = re.sub(r"\((\w+) \? (.*?) : (.*?)\)", r"(\2 if \1 else \3)", expression)
        functions = {"whole": lambda a: a.reshape(shape), "one": lambda a: real(a.reshape(-1)[0]), "of_part": of_part}
        value = np.asarray(eval(expression, {**names, **arguments, **functions}), real)  # a comparison gives 0 or 1
        if name:
            names[name] = value
        elif target:
            stores.append((target, index, value))
        else:
            added.append((f"total{k}", np.broadcast_to(value, shape)))
    return stores, added


TWINS = {  # kernel name -> a function that writes its outputs
    "tinygan_uniform": uniform,
    "tinygan_normal": normal,
    "tinygan_im2col": im2col,
    "tinygan_col2im": col2im,
    "tinygan_elementwise": elementwise,
    "tinygan_sums": sums,
    "tinygan_add": add,
    "tinygan_gather": gather,
    "tinygan_squared_norms": squared_norms,
    "tinygan_scatter": scatter,
    "tinygan_interpolate": interpolate,
    "tinygan_concatenate": concatenate,
}
INTERPRETED = {"tinygan_elementwise", "tinygan_sums", "tinygan_add"}  # these twins interpret the kernel's source
MATHEMATICS = "exp expm1 log log1p maximum minimum sign sqrt tanh".split()

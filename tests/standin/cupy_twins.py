"""What each of the library's CUDA kernels computes, in NumPy, for the stand-in: found by the kernel's name in TWINS.

test_cuda_kernels.py holds them and the kernels' own text, run on the CPU, against the same results.
"""

import types

import numpy as np


def philox(counter, key):
    """Philox 4x32-10 (Salmon et al. 2011): four 32-bit words, each an array or a number, and two -> four of uint32."""
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
    """Two words for each element of y, as the generator's kernels take them from its number and the draw's."""
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
    """All patches of the images x, padded by zeros: (N, OH, OW, KH, KW, C)."""
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


def column_sums(grid, block, x, sums, rows, columns, slab, **sizes):
    for i in range(len(sums)):
        sums[i] = x[i * slab : (i + 1) * slab].sum(0)


TWINS = {  # kernel name -> a function that writes its outputs
    "tinygan_uniform": uniform,
    "tinygan_normal": normal,
    "tinygan_im2col": im2col,
    "tinygan_col2im": col2im,
    "tinygan_column_sums": column_sums,
}

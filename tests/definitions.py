"""What the functions of the backend compute, as plainly as NumPy can say it. The arguments are NumPy arrays.

The sums of products are computed in float64. If all numbers are small integers, every order of a sum gives the same
result, also in float32. So a function must equal its definition to the bit.
"""

import numpy as np


def matmul(a, b):
    return np.einsum("mk,kn->mn", a.astype("float64"), b.astype("float64"))


def conv2d(x, w, stride, padding):
    grid = grid_of(x.shape[1:3], w.shape[:2], stride, padding)
    y = np.zeros((len(x), *grid, w.shape[3]))
    for (i, j), patch in patches(padded(x, padding), grid, w.shape[:2], stride):
        y[:, i, j] = np.einsum("nuvc,uvcd->nd", patch, w)
    return y


def conv_transpose2d(r, w, size, stride, padding):
    x = padded(np.zeros((len(r), *size, w.shape[2])), padding)
    for (i, j), patch in patches(x, r.shape[1:3], w.shape[:2], stride):
        patch += np.einsum("nd,uvcd->nuvc", r[:, i, j], w)
    return x[:, padding[0] : padding[0] + size[0], padding[1] : padding[1] + size[1]]


def conv2d_weight_grad(x, r, kernel, stride, padding):
    w = np.zeros((*kernel, x.shape[3], r.shape[3]))
    for (i, j), patch in patches(padded(x, padding), r.shape[1:3], kernel, stride):
        w += np.einsum("nuvc,nd->uvcd", patch, r[:, i, j])
    return w


def grid_of(size, kernel, stride, padding):
    return tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding))


def padded(x, padding):
    (top, left), (n, h, w, c) = padding, x.shape
    y = np.zeros((n, h + 2 * top, w + 2 * left, c))
    y[:, top : top + h, left : left + w] = x
    return y


def patches(x, grid, kernel, stride):
    """Yield (i, j), patch: each position in the grid, and a view of the pixels that a filter covers there."""
    for i, j in np.ndindex(*grid):
        yield (i, j), x[:, i * stride[0] :, j * stride[1] :][:, : kernel[0], : kernel[1]]


def column_sums(function, *args):
    results = function(*(np.asarray(a, "float64") for a in args))
    results = results if isinstance(results, tuple) else (results,)
    return [y.reshape(-1, y.shape[-1] if y.ndim > 1 else 1).sum(0) for y in results]


def mean_and_variance(x):
    rows = x.reshape(-1, x.shape[-1]).astype("float64")
    return rows.mean(0), rows.var(0)


def gather(rows, order, position, n, factor, offset):
    chosen = [rows[i] for i in order[position[0] : position[0] + n]]
    return np.array(chosen, "float64").reshape(n, *rows.shape[1:]) * factor - offset

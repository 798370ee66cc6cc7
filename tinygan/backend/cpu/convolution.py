"""The three convolution functions with NumPy. autograd/convolution.py explains them: x images, w filters, r responses.

The batch is divided into blocks of images. The patches of a block fit in the cache, and several threads compute
different blocks at the same time.
"""

import math

import numpy as xp

from ..patches import patch_grid
from . import threads

PATCHES = 1 << 18  # the patches of a block have about this number of elements, or fewer: 1 MiB in float32
PARTIAL_SUMS = 4  # a weight gradient is the sum of up to 4 partial sums, each computed by one thread


def im2col(x, kernel, stride, padding):
    """Return the matrix of patches: (N, H, W, C) -> (N * OH * OW, kh * kw * C)"""
    (n, h, w, c), (ph, pw) = x.shape, padding
    padded = xp.ascontiguousarray(x)
    if ph or pw:
        padded = xp.zeros((n, h + 2 * ph, w + 2 * pw, c), x.dtype)
        padded[:, ph : ph + h, pw : pw + w] = x
    return windows(padded, kernel, stride).reshape(-1, math.prod(kernel) * c)


def windows(padded, kernel, stride):
    """Return all patches of padded images (N, H, W, C) as a view: (N, OH, OW, kh, kw, C)"""
    (n_, h_, w_, c_), (sh, sw) = padded.strides, stride
    shape = len(padded), *patch_grid(padded.shape[1:3], kernel, stride, (0, 0)), *kernel, padded.shape[3]
    return xp.ndarray(shape, padded.dtype, padded, strides=(n_, h_ * sh, w_ * sw, h_, w_, c_))


def conv2d(x, w, stride, padding):
    """y = patches(x) w        The patches of a block of images stay in the cache."""
    y = xp.empty((len(x), *patch_grid(x.shape[1:3], w.shape[:2], stride, padding), w.shape[3]), x.dtype)
    filters = w.reshape(-1, w.shape[3])

    def compute(images):
        patches = im2col(x[images], w.shape[:2], stride, padding)
        xp.matmul(patches, filters, out=y[images].reshape(-1, w.shape[3]))

    threads.run(compute, _images(y, w))
    return y


def conv_transpose2d(r, w, size, stride, padding):
    """x = patches^T(r w^T): the sum of overlapping filters, each scaled by its response.

    The padded image is divided into cells of stride x stride pixels. Along one axis, response t adds a filter of k
    pixels to the image, from the first pixel of cell t on. So a filter reaches q = ceil(k / stride) cells, and cell t
    gets pixels from the q responses t, t - 1, ..., t - q + 1. From response t - i it gets the pixels stride i, ...,
    stride (i + 1) - 1 of the filter.

    In two dimensions, each pixel of a cell is a weighted sum over a patch of q x q responses. So all cells together
    are an ordinary convolution of r with stride 1. Its filters contain the elements of w in another order.
    """
    (kh, kw, c, depth), (sh, sw), (n, *grid, _) = w.shape, stride, r.shape
    (qh, top, rows), (qw, left, columns) = map(_cells, size, (kh, kw), stride, padding)
    y0, x0 = padding[0] - top * sh, padding[1] - left * sw  # the image begins at this pixel of the computed cells
    filters = xp.zeros((qh * sh, qw * sw, c, depth), w.dtype)
    filters[:kh, :kw] = w
    filters = filters.reshape(qh, sh, qw, sw, c, depth)[::-1, :, ::-1].transpose(0, 2, 5, 1, 3, 4)
    filters = filters.reshape(qh * qw * depth, sh * sw * c)
    x = xp.empty((n, *size, c), r.dtype)

    def compute(images):
        padded = xp.zeros((len(x[images]), rows + qh - 1, columns + qw - 1, depth), r.dtype)
        inside = padded[:, qh - 1 - top :, qw - 1 - left :][:, : grid[0], : grid[1]]
        inside[...] = r[images, : inside.shape[1], : inside.shape[2]]
        cells = windows(padded, (qh, qw), (1, 1)).reshape(-1, qh * qw * depth) @ filters
        cells = cells.reshape(-1, rows, columns, sh, sw, c).transpose(0, 1, 3, 2, 4, 5)
        x[images] = cells.reshape(-1, rows * sh, columns * sw, c)[:, y0 : y0 + size[0], x0 : x0 + size[1]]

    threads.run(compute, threads.cut_evenly(n, n * rows * columns * qh * qw * depth, PATCHES))
    return x


def _cells(size, k, stride, padding):
    """Return three numbers for one axis: responses that reach a cell, skipped cells (only padding), computed cells."""
    responses = -(-k // stride)
    skipped = min(padding // stride, responses - 1)
    return responses, skipped, -(-(size + padding) // stride) - skipped


def conv2d_weight_grad(x, r, kernel, stride, padding):
    """w = patches(x)^T r

    Each partial sum adds up the products of some blocks of images. Then the partial sums are added in a fixed order.
    """
    w = xp.zeros((*kernel, x.shape[3], r.shape[3]), x.dtype)
    blocks = _images(r, w)

    def compute(first):
        total = xp.zeros((w.size // r.shape[3], r.shape[3]), x.dtype)
        for images in blocks[first::PARTIAL_SUMS]:
            total += im2col(x[images], kernel, stride, padding).T @ r[images].reshape(-1, r.shape[3])
        return total

    for total in threads.run(compute, range(min(PARTIAL_SUMS, len(blocks)))):
        w += total.reshape(w.shape)
    return w


def _images(responses, w):
    """Return slices of the batch. The patches of each slice have about PATCHES elements, or fewer."""
    n, patches = len(responses), math.prod(responses.shape[1:3]) * math.prod(w.shape[:3])
    return threads.cut_evenly(n, n * patches, PATCHES)

"""The three convolution primitives (see autograd/convolution.py), a block of images at a time."""

import math

import numpy as xp

from ..patches import patch_grid
from . import threads

PATCHES = 1 << 18  # elements of a block of patches, 1 MiB
LANES = 4  # partial sums of a filter gradient


def im2col(x, kernel, stride, padding):
    """x: (N, H, W, C) -> (N * OH * OW, kh * kw * C)."""
    (n, h, w, c), (ph, pw) = x.shape, padding
    padded = xp.ascontiguousarray(x)
    if ph or pw:
        padded = xp.zeros((n, h + 2 * ph, w + 2 * pw, c), x.dtype)
        padded[:, ph : ph + h, pw : pw + w] = x
    return windows(padded, kernel, stride).reshape(-1, math.prod(kernel) * c)


def windows(padded, kernel, stride):
    """What filters see of images (N, H, W, C), a view: (N, OH, OW, kh, kw, C), elements in it several times."""
    (n_, h_, w_, c_), (sh, sw) = padded.strides, stride
    shape = len(padded), *patch_grid(padded.shape[1:3], kernel, stride, (0, 0)), *kernel, padded.shape[3]
    return xp.ndarray(shape, padded.dtype, padded, strides=(n_, h_ * sh, w_ * sw, h_, w_, c_))


def conv2d(x, w, stride, padding):
    """See autograd/convolution.py. A block of images at a time: its patches never leave the cache."""
    y = xp.empty((len(x), *patch_grid(x.shape[1:3], w.shape[:2], stride, padding), w.shape[3]), x.dtype)
    filters = w.reshape(-1, w.shape[3])

    def compute(images):
        patches = im2col(x[images], w.shape[:2], stride, padding)
        xp.matmul(patches, filters, out=y[images].reshape(-1, w.shape[3]))

    threads.run(compute, _images(y, w))
    return y


def conv_transpose2d(g, w, size, stride, padding):
    """See autograd/convolution.py. No adding up of overlaps: every cell of `stride` pixels is painted by one patch of
    g, response t - r by the filters' rows stride r + (0 ... stride - 1); so this is a convolution of g, to cells.
    """
    (kh, kw, c, depth), (sh, sw), (n, *grid, _) = w.shape, stride, g.shape
    (qh, top, rows), (qw, left, columns) = map(_cells, size, (kh, kw), stride, padding)
    y0, x0 = padding[0] - top * sh, padding[1] - left * sw  # where the image begins in the first cell
    filters = xp.zeros((qh * sh, qw * sw, c, depth), w.dtype)
    filters[:kh, :kw] = w
    filters = filters.reshape(qh, sh, qw, sw, c, depth)[::-1, :, ::-1].transpose(0, 2, 5, 1, 3, 4)
    filters = filters.reshape(qh * qw * depth, sh * sw * c)
    x = xp.empty((n, *size, c), g.dtype)

    def compute(images):
        padded = xp.zeros((len(x[images]), rows + qh - 1, columns + qw - 1, depth), g.dtype)
        inside = padded[:, qh - 1 - top :, qw - 1 - left :][:, : grid[0], : grid[1]]
        inside[...] = g[images, : inside.shape[1], : inside.shape[2]]
        cells = windows(padded, (qh, qw), (1, 1)).reshape(-1, qh * qw * depth) @ filters
        cells = cells.reshape(-1, rows, columns, sh, sw, c).transpose(0, 1, 3, 2, 4, 5)
        x[images] = cells.reshape(-1, rows * sh, columns * sw, c)[:, y0 : y0 + size[0], x0 : x0 + size[1]]

    threads.run(compute, threads.cut_evenly(n, n * rows * columns * qh * qw * depth, PATCHES))
    return x


def _cells(size, k, stride, padding):
    """In one direction: responses that paint a cell, cells left out since they lie in the padding, cells computed."""
    painters = -(-k // stride)
    left_out = min(padding // stride, painters - 1)
    return painters, left_out, -(-(size + padding) // stride) - left_out


def conv2d_weight_grad(x, g, kernel, stride, padding):
    """See autograd/convolution.py. Each lane adds up its share of the blocks, then the lanes are added up."""
    w = xp.zeros((*kernel, x.shape[3], g.shape[3]), x.dtype)
    blocks = _images(g, w)

    def compute(lane):
        total = xp.zeros((w.size // g.shape[3], g.shape[3]), x.dtype)
        for images in blocks[lane::LANES]:
            total += im2col(x[images], kernel, stride, padding).T @ g[images].reshape(-1, g.shape[3])
        return total

    for total in threads.run(compute, range(min(LANES, len(blocks)))):
        w += total.reshape(w.shape)
    return w


def _images(responses, w):
    """Blocks of images (N, OH, OW, _) whose patches under the filters w are at most about PATCHES elements."""
    n, patches = len(responses), math.prod(responses.shape[1:3]) * math.prod(w.shape[:3])
    return threads.cut_evenly(n, n * patches, PATCHES)

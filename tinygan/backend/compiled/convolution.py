"""The three convolution functions as tiled matrix products. autograd/convolution.py explains them.

conv2d and conv2d_weight_grad multiply with the matrix of patches, but do not build it. Patch m begins at some offset in
the padded images, rows[m]. Pixel k of a patch is at a fixed distance from the beginning of the patch, columns[k]. So
patches(x)[m, k] = x[rows[m] + columns[k]]. tile.py computes products with such a matrix.
"""

import functools
import itertools
import math
from typing import NamedTuple

import numba
import numpy as np

from ..patches import patch_grid
from .cache import kernel
from .tile import VECTOR, matrix_rows, offsets, product


def conv2d(x, w, stride, padding):
    """y = patches(x) w"""
    y = np.empty((len(x), *patch_grid(x.shape[1:3], w.shape[:2], stride, padding), w.shape[3]), x.dtype)
    padded = _pad(x, padding, padding)
    rows, columns = _patch_offsets(padded.shape, y.shape[1:3], w.shape[:2], stride)
    product(y, matrix_rows(y.size // y.shape[3], y.shape[3]), padded, rows, columns, _matrix(w))
    return y


def conv2d_weight_grad(x, r, kernel, stride, padding):
    """w = patches(x)^T r"""
    w = np.empty((*kernel, x.shape[3], r.shape[3]), x.dtype)
    padded = _pad(x, padding, padding)
    patches, pixels = _patch_offsets(padded.shape, r.shape[1:3], kernel, stride, transposed=True)
    product(w, matrix_rows(w.size // w.shape[3], w.shape[3]), padded, pixels, patches, _matrix(r))
    return w


def conv_transpose2d(r, w, size, stride, padding):
    """x = patches^T(r w^T)

    With stride s the pixels of x form s x s phases: a phase has every s-th pixel in both directions. All pixels of a
    phase depend on the same weights of the filter. So each phase is an ordinary convolution of r with these weights.
    If x has few channels, _add_scaled_filters is faster.
    """
    x = np.empty((len(r), *size, w.shape[2]), r.dtype)
    if w.shape[2] * w.itemsize < VECTOR // 2:
        return _add_scaled_filters(r, w, x, stride, padding)
    vertical, horizontal = map(_phases, w.shape[:2], size, stride, padding)
    before, after = zip(*(_margins(phases, n) for phases, n in zip((vertical, horizontal), r.shape[1:3])))
    padded = _pad(r, before, after)
    for a, b in itertools.product(vertical, horizontal):
        weights = w[a.taps.start :: a.taps.step, b.taps.start :: b.taps.step].transpose(0, 1, 3, 2)
        pixels, rows, columns = _phase_offsets(a, b, before, x.shape, padded.shape)
        product(x, pixels, padded, rows, columns, weights.reshape(-1, w.shape[2]))
    return x


class _Phase(NamedTuple):
    """A phase along one axis: every stride-th pixel. Its pixel t is the sum over k of r[t + shift - k] w[taps[k]]."""

    pixels: range
    taps: range
    shift: int


def _phases(k, size, stride, padding):
    """Return the phases along one axis. Response i adds element u of the filter to pixel stride i + u - padding."""
    first = [(p + padding) % stride for p in range(min(stride, size))]
    return [
        _Phase(range(p, size, stride), range(u, k, stride), (p + padding - u) // stride) for p, u in enumerate(first)
    ]


def _margins(phases, responses):
    """Return how many zeros before and after the responses along one axis are enough for all phases."""
    before = max(len(phase.taps) - 1 - phase.shift for phase in phases)
    after = max(len(phase.pixels) - 1 + phase.shift for phase in phases) - (responses - 1)
    return max(0, before), max(0, after)


@functools.lru_cache(1024)
def _phase_offsets(a, b, before, x_shape, r_shape):
    """Return three arrays of offsets for the pixels of vertical phase a and horizontal phase b.

    The first has the offset of each pixel in x. The second has, for each pixel, the offset in padded r of the response
    for its first tap. The third has, for each tap and channel, the distance from that response.
    """
    (n, h, w, c), (_, rh, rw, depth) = x_shape, r_shape
    image, i, j = np.ogrid[:n, : len(a.pixels), : len(b.pixels)]
    pixels = ((image * h + a.pixels.start + i * a.pixels.step) * w + b.pixels.start + j * b.pixels.step) * c
    responses = ((image * rh + i + a.shift + before[0]) * rw + j + b.shift + before[1]) * depth
    k, q, channel = np.ogrid[: len(a.taps), : len(b.taps), :depth]
    return offsets(pixels), offsets(responses), (channel - (k * rw + q) * depth).reshape(-1)


def _add_scaled_filters(r, w, x, stride, padding):
    """Compute conv_transpose2d if x has few channels: compute all scaled filters r w^T, and add them to the image."""
    patches = np.empty((*r.shape[:3], *w.shape[:3]), r.dtype)
    m, k, n = r.size // r.shape[3], r.shape[3], math.prod(w.shape[:3])
    filters = np.ascontiguousarray(_matrix(w).T)
    product(patches, matrix_rows(m, n), np.ascontiguousarray(r), matrix_rows(m, k), np.arange(k), filters)
    _add_patches(patches, x, *stride, *padding)
    return x


@kernel
def _add_patches(patches, x, sh, sw, ph, pw):
    """x = 0; x[n, i sh + u - ph, j sw + v - pw] += patches[n, i, j, u, v] for all pixels inside the image"""
    _, height, width, channels = x.shape
    images, rows, columns, kh, kw, _ = patches.shape
    for n in numba.prange(images):
        x[n] = 0
        for i in range(rows):
            for u in range(kh):
                h = i * sh + u - ph
                if 0 <= h < height:
                    for j in range(columns):
                        for v in range(kw):
                            w = j * sw + v - pw
                            if 0 <= w < width:
                                for c in range(channels):
                                    x[n, h, w, c] += patches[n, i, j, u, v, c]


def _pad(x, before, after):
    """Return images with zeros around them. before: zeros (above, on the left); after: zeros (below, on the right)."""
    (n, h, w, c), (top, left), (bottom, right) = x.shape, before, after
    if not any((top, left, bottom, right)):
        return np.ascontiguousarray(x)
    padded = np.empty((n, top + h + bottom, left + w + right, c), x.dtype)
    wide = padded.reshape(n, top + h + bottom, (left + w + right) * c)
    _copy_inside(np.ascontiguousarray(x).reshape(n, h, w * c), wide, top, left * c)
    return padded


@kernel
def _copy_inside(x, padded, top, left):
    """Copy x: (N, H, W * C) into `padded`, and zeros around it. top: rows of zeros above; left: zeros left of a row."""
    images, h, w = x.shape
    _, height, width = padded.shape
    for n in numba.prange(images):
        for i in range(height):
            inside = top <= i < top + h
            for j in range(left if inside else width):
                padded[n, i, j] = 0
            if inside:
                for j in range(w):
                    padded[n, i, left + j] = x[n, i - top, j]
                for j in range(left + w, width):
                    padded[n, i, j] = 0


def _matrix(w):
    return np.ascontiguousarray(w).reshape(-1, w.shape[-1])


@functools.lru_cache(1024)
def _patch_offsets(shape, grid, kernel, stride, transposed=False):
    """Return the offsets of all patches of padded images of this shape, and of the pixels within a patch.

    In a product with the matrix of patches, the rows are patches. In a product with its transpose, the rows are pixels.
    The offsets of the rows are extended to whole tiles (see `offsets` in tile.py).
    """
    (n, h, w, c), (sh, sw) = shape, stride
    image, i, j = np.ogrid[:n, : grid[0], : grid[1]]
    u, v, channel = np.ogrid[: kernel[0], : kernel[1], :c]
    patches, pixels = ((image * h + i * sh) * w + j * sw) * c, (u * w + v) * c + channel
    return (patches.reshape(-1), offsets(pixels)) if transposed else (offsets(patches), pixels.reshape(-1))

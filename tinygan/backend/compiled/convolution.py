"""The three convolution primitives as tiled matrix products.

Patches are read in place. Only the transposed convolution to few channels builds them.

In a padded image, the patch of response (n, i, j) begins at a fixed offset, and the pixel (u, v, c) of any patch lies
at a fixed distance from that beginning. So patches(x)[m, k] = x[rows[m] + columns[k]], as tile.py wants it.
"""

import functools
import itertools
import math
from typing import NamedTuple

import numba
import numpy as np

from ..patches import patch_grid
from .cache import OPTIONS
from .tile import VECTOR, matrix_rows, offsets, product


def conv2d(x, w, stride, padding):
    """y = patches(x) w"""
    y = np.empty((len(x), *patch_grid(x.shape[1:3], w.shape[:2], stride, padding), w.shape[3]), x.dtype)
    padded = _pad(x, padding, padding)
    rows, columns = _patch_offsets(padded.shape, y.shape[1:3], w.shape[:2], stride)
    product(y, matrix_rows(y.size // y.shape[3], y.shape[3]), padded, rows, columns, _matrix(w))
    return y


def conv2d_weight_grad(x, g, kernel, stride, padding):
    """w = patches(x)^T g"""
    w = np.empty((*kernel, x.shape[3], g.shape[3]), x.dtype)
    padded = _pad(x, padding, padding)
    patches, pixels = _patch_offsets(padded.shape, g.shape[1:3], kernel, stride, transposed=True)
    product(w, matrix_rows(w.size // w.shape[3], w.shape[3]), padded, pixels, patches, _matrix(g))
    return w


def conv_transpose2d(g, w, size, stride, padding):
    """x = patches^T(g w^T)

    With stride s, the pixels of x fall into s x s phases. All pixels of a phase are covered by the same weights of the
    filter, so each phase is an ordinary convolution of g with a part of the filter, and has no zeros to multiply.
    """
    x = np.empty((len(g), *size, w.shape[2]), g.dtype)
    if w.shape[2] * w.itemsize < VECTOR // 2:
        return _add_scaled_filters(g, w, x, stride, padding)
    vertical, horizontal = map(_phases, w.shape[:2], size, stride, padding)
    before, after = zip(*(_margins(phases, n) for phases, n in zip((vertical, horizontal), g.shape[1:3])))
    padded = _pad(g, before, after)
    for a, b in itertools.product(vertical, horizontal):
        part = w[a.taps.start :: a.taps.step, b.taps.start :: b.taps.step].transpose(0, 1, 3, 2)
        places, rows, columns = _phase_offsets(a, b, before, x.shape, padded.shape)
        product(x, places, padded, rows, columns, part.reshape(-1, w.shape[2]))
    return x


class _Phase(NamedTuple):
    """Every stride-th pixel along an axis. Pixel t of the phase is the sum over r of g[t + shift - r] w[taps[r]]."""

    pixels: range
    taps: range
    shift: int


def _phases(k, size, stride, padding):
    """Return the phases along one axis. Response i adds row or column u of the filter to pixel i s + u - padding."""
    first = [(p + padding) % stride for p in range(min(stride, size))]
    return [
        _Phase(range(p, size, stride), range(u, k, stride), (p + padding - u) // stride) for p, u in enumerate(first)
    ]


def _margins(phases, responses):
    """Return how many rows (or columns) of zeros the phases read before and after the responses."""
    before = max(len(phase.taps) - 1 - phase.shift for phase in phases)
    after = max(len(phase.pixels) - 1 + phase.shift for phase in phases) - (responses - 1)
    return max(0, before), max(0, after)


@functools.lru_cache(1024)
def _phase_offsets(a, b, before, x_shape, g_shape):
    """Return the offsets of the pixels of a pair of phases in x, of their first responses in padded g, and of the taps
    from there on."""
    (n, h, w, c), (_, gh, gw, depth) = x_shape, g_shape
    image, i, j = np.ogrid[:n, : len(a.pixels), : len(b.pixels)]
    pixels = ((image * h + a.pixels.start + i * a.pixels.step) * w + b.pixels.start + j * b.pixels.step) * c
    responses = ((image * gh + i + a.shift + before[0]) * gw + j + b.shift + before[1]) * depth
    r, q, channel = np.ogrid[: len(a.taps), : len(b.taps), :depth]
    return offsets(pixels), offsets(responses), (channel - (r * gw + q) * depth).reshape(-1)


def _add_scaled_filters(g, w, x, stride, padding):
    """The same for few channels, whose vectors would be nearly empty: one product gives all scaled filters."""
    patches = np.empty((*g.shape[:3], *w.shape[:3]), g.dtype)
    m, k, n = g.size // g.shape[3], g.shape[3], math.prod(w.shape[:3])
    filters = np.ascontiguousarray(_matrix(w).T)
    product(patches, matrix_rows(m, n), np.ascontiguousarray(g), matrix_rows(m, k), np.arange(k), filters)
    _add_patches(patches, x, *stride, *padding)
    return x


@numba.njit(cache=True, parallel=True, **OPTIONS)
def _add_patches(patches, x, sh, sw, ph, pw):
    """x[n, i sh + u - ph, j sw + v - pw] = sum of patches[n, i, j, u, v], for all that lies inside the image"""
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
    """Return images with zeros around them: `before` rows above and columns to the left, `after` below and right."""
    (n, h, w, c), (top, left), (bottom, right) = x.shape, before, after
    if not any((top, left, bottom, right)):
        return np.ascontiguousarray(x)
    padded = np.empty((n, top + h + bottom, left + w + right, c), x.dtype)
    _copy_inside(np.ascontiguousarray(x).reshape(n, h, w * c), padded.reshape(n, top + h + bottom, -1), top, left * c)
    return padded


@numba.njit(cache=True, parallel=True, **OPTIONS)
def _copy_inside(x, padded, top, left):
    """x: (N, H, W C), padded: the same with zeros around it. left: zeros before each row"""
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
    """Return the offsets of the patches of padded images of this shape, and of the pixels within a patch.

    The offsets of the patches are whole tiles; transposed: those of the pixels are.
    """
    (n, h, w, c), (sh, sw) = shape, stride
    image, i, j = np.ogrid[:n, : grid[0], : grid[1]]
    u, v, channel = np.ogrid[: kernel[0], : kernel[1], :c]
    patches, pixels = ((image * h + i * sh) * w + j * sw) * c, (u * w + v) * c + channel
    return (patches.reshape(-1), offsets(pixels)) if transposed else (offsets(patches), pixels.reshape(-1))

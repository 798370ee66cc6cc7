"""Exercise 5: convolution by patches, and its two derivatives.                                (the tour, stop 4)

All filters have 4 x 4 = 16 pixels. A patch begins at every second pixel (stride 2) of the image, to which a border of
one zero was added (padding 1). So an image (N, H, W, C) has H/2 * W/2 patches. Channels are last:

    y[n, h, w, f] = sum over k, c of patches(x)[n, h, w, k, c] w[k, c, f]        w: (16, C, F), y: (N, H/2, W/2, F)

In a patch, k = 4 i + j is the pixel in row i and column j. conv_x is also the transposed convolution, with which G
doubles the size of an image: its own derivatives are conv and conv_w.

Question: what is fold(patches(x)) for an image x of ones, 8 x 8 pixels? Explain the numbers 1, 2 and 4.
"""

import numpy as np

from .e02_graph import operation
from .e04_linear import Layer, initial


def patches(x):
    """Return all patches: (N, H, W, C) -> (N, H/2, W/2, 16, C). Pixel (i, j) of ALL patches is one slice of step 2 of
    the padded images. So np.pad, sixteen slices and np.stack(..., axis=3) are enough.
    """
    ...


def fold(p):
    """Add each patch to an image of zeros, at its position: (N, h, w, 16, C) -> (N, 2h, 2w, C). This is the derivative
    of `patches`, since a pixel is in several patches. Add to padded images, then cut off the border. Keep the dtype.
    """
    ...


def conv(x, w):
    """Return y of the formula above. np.tensordot(a, b, ([3, 4], [0, 1])) sums over axes 3, 4 of a and 0, 1 of b."""
    ...


def conv_x(g, w):
    """dL/dx of y = conv(x, w), with g = dL/dy: (N, H/2, W/2, F) -> (N, H, W, C)"""
    ...


def conv_w(x, g):
    """dL/dw of y = conv(x, w), with g = dL/dy: (N, H/2, W/2, F) -> (16, C, F)"""
    ...


conv2d = operation(conv, lambda g, y, x, w: (conv_x(g, w), conv_w(x, g)))
conv_transpose2d = operation(conv_x, lambda g, y, r, w: (conv(g, w), conv_w(g, r)))


def Conv(n_in, n_out, rng):
    return Layer(conv2d, initial((16, n_in, n_out), 16 * n_in, rng), n_out)


def ConvTranspose(n_in, n_out, rng):
    return Layer(conv_transpose2d, initial((16, n_out, n_in), 4 * n_in, rng), n_out)  # a pixel is in four patches

"""Images to patches.

A patch is the (kh, kw, C) block of pixels that a filter sees at one position, laid out as one row:
    im2col: (N, H, W, C) -> (N * OH * OW, kh * kw * C)       OH = (H + 2 ph - kh) // sh + 1, OW likewise
"""

import math

from .. import backend


def patch_grid(size, kernel, stride, padding):
    """How many patches fit: (OH, OW) for an image of `size` (H, W). Raises ValueError when there are none."""
    fits = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding))
    if min(fits) < 1:
        raise ValueError(f"a {kernel} filter does not fit into an image of {size} with padding {padding}")
    return fits


def im2col(x, kernel, stride, padding):
    """x: (N, H, W, C) -> (N * OH * OW, kh * kw * C)."""
    (n, h, w, c), (ph, pw) = x.shape, padding
    padded = backend.xp.ascontiguousarray(x)
    if ph or pw:
        padded = backend.xp.zeros((n, h + 2 * ph, w + 2 * pw, c), x.dtype)
        padded[:, ph : ph + h, pw : pw + w] = x
    return windows(padded, kernel, stride).reshape(-1, math.prod(kernel) * c)


def windows(padded, kernel, stride):
    """What filters see of images (N, H, W, C), a view: (N, OH, OW, kh, kw, C), elements in it several times."""
    (n_, h_, w_, c_), (sh, sw) = padded.strides, stride
    shape = len(padded), *patch_grid(padded.shape[1:3], kernel, stride, (0, 0)), *kernel, padded.shape[3]
    return backend.xp.ndarray(shape, padded.dtype, padded, strides=(n_, h_ * sh, w_ * sw, h_, w_, c_))

"""Images to patches and back.

A patch is the (kh, kw, C) block of pixels that a filter sees at one position, laid out as one row:
    im2col: (N, H, W, C) -> (N * OH * OW, kh * kw * C)       OH = (H + 2 ph - kh) // sh + 1, OW likewise
    col2im: the adjoint, <im2col(x), c> = <x, col2im(c)>: every patch is added back where it was taken from
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
    return _windows(padded, kernel, stride).reshape(-1, math.prod(kernel) * c)


def col2im(columns, shape, kernel, stride, padding):
    """columns: (N * OH * OW, kh * kw * C), shape: (N, H, W, C) -> image of that shape."""
    (n, h, w, c), (kh, kw), (ph, pw) = shape, kernel, padding
    padded = backend.xp.zeros((n, h + 2 * ph, w + 2 * pw, c), columns.dtype)
    windows = _windows(padded, kernel, stride)
    columns = columns.reshape(windows.shape)
    # So many columns of a patch at a time: NumPy likes long runs of numbers. With one channel, positions make the run.
    step = stride[1] if c > 1 else 1
    for u in range(kh):
        for v in range(0, kw, step):  # patches overlap, these parts of them do not
            windows[:, :, :, u, v : v + step] += columns[:, :, :, u, v : v + step]
    return padded[:, ph : ph + h, pw : pw + w]


def _windows(padded, kernel, stride):
    """What filters see of images (N, H, W, C), a view: (N, OH, OW, kh, kw, C), elements in it several times."""
    (n_, h_, w_, c_), (sh, sw) = padded.strides, stride
    shape = len(padded), *patch_grid(padded.shape[1:3], kernel, stride, (0, 0)), *kernel, padded.shape[3]
    return backend.xp.ndarray(shape, padded.dtype, padded, strides=(n_, h_ * sh, w_ * sw, h_, w_, c_))

"""Images to patches and back.

A patch is the (kh, kw, C) block of pixels that a filter sees at one position, laid out as one row:
    im2col: (N, H, W, C) -> (N * OH * OW, kh * kw * C)       OH = (H + 2 ph - kh) // sh + 1, OW likewise
    col2im: the adjoint, <im2col(x), c> = <x, col2im(c)>: every patch is added back where it was taken from
"""

from .. import backend


def patch_grid(size, kernel, stride, padding):
    """How many patches fit: (OH, OW) for an image of `size` (H, W). Raises ValueError when there are none."""
    fits = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding))
    if min(fits) < 1:
        raise ValueError(f"a {kernel} filter does not fit into an image of {size} with padding {padding}")
    return fits


def im2col(x, kernel, stride, padding):
    """x: (N, H, W, C) -> (N * OH * OW, kh * kw * C)."""
    (n, h, w, c), (kh, kw), (sh, sw), (ph, pw) = x.shape, kernel, stride, padding
    oh, ow = patch_grid((h, w), kernel, stride, padding)
    padded = x
    if ph or pw:
        padded = backend.xp.zeros((n, h + 2 * ph, w + 2 * pw, c), x.dtype)
        padded[:, ph : ph + h, pw : pw + w] = x
    n_, h_, w_, c_ = padded.strides
    windows = backend.xp.lib.stride_tricks.as_strided(
        padded, (n, oh, ow, kh, kw, c), (n_, h_ * sh, w_ * sw, h_, w_, c_)
    )
    return windows.reshape(n * oh * ow, kh * kw * c)


def col2im(columns, shape, kernel, stride, padding):
    """columns: (N * OH * OW, kh * kw * C), shape: (N, H, W, C) -> image of that shape."""
    image = backend.xp.zeros(shape, columns.dtype)
    add_patches(image, columns, kernel, stride, padding)
    return image


def add_patches(image, columns, kernel, stride, padding):
    """col2im into an image that is there: each patch is added to what lies where it was taken from."""
    (n, h, w, c), (kh, kw), (sh, sw), (ph, pw) = image.shape, kernel, stride, padding
    oh, ow = patch_grid((h, w), kernel, stride, padding)
    columns = columns.reshape(n, oh, ow, kh, kw, c)
    for u in range(kh):
        rows, from_rows = _inside(u - ph, sh, oh, h)
        for v in range(kw):
            across, from_columns = _inside(v - pw, sw, ow, w)
            image[:, rows, across] += columns[:, from_rows, from_columns, u, v]  # patches overlap: add


def _inside(start, stride, count, size):
    """Of the positions start, start + stride, ... (`count` of them) those within range(size): a slice of the image
    that takes them, and a slice of the patches they belong to."""
    first = max(0, -(start // stride))
    last = min(count, (size - 1 - start) // stride + 1)
    return slice(start + first * stride, max(0, start + (last - 1) * stride + 1), stride), slice(
        first, max(first, last)
    )

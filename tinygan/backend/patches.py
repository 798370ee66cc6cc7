"""The number of patches of an image.

A patch is the block of pixels (kh, kw, C) under a filter at one position. Each row of the matrix of patches is a patch:
    im2col: (N, H, W, C) -> (N * OH * OW, kh * kw * C)       OH = (H + 2 ph - kh) // sh + 1, OW likewise
"""


def patch_grid(size, kernel, stride, padding):
    """Return the number of patches (OH, OW) of an image of `size` (H, W). Raises ValueError if there are none."""
    fits = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding))
    if min(fits) < 1:
        raise ValueError(f"a filter of size {kernel} does not fit into an image of size {size} with padding {padding}")
    return fits

"""How many patches an image has.

A patch is the (kh, kw, C) block of pixels that a filter sees at one position, laid out as one row:
    im2col: (N, H, W, C) -> (N * OH * OW, kh * kw * C)       OH = (H + 2 ph - kh) // sh + 1, OW likewise
"""


def patch_grid(size, kernel, stride, padding):
    """Return how many patches fit, (OH, OW), for an image of `size` (H, W). Raises ValueError if none do."""
    fits = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding))
    if min(fits) < 1:
        raise ValueError(f"a {kernel} filter does not fit into an image of {size} with padding {padding}")
    return fits

"""The number of patches of an image.

A patch is the block of pixels (kh, kw, C) that a filter covers at one position. An image (H, W, C) has OH x OW patches:

    OH = (H + 2 padding - kh) // stride + 1, and OW likewise

im2col (in cpu/convolution.py and cuda/kernels.py) copies all patches into a matrix, with one patch in each row:

    (N, H, W, C) -> (N * OH * OW, kh * kw * C)
"""


def patch_grid(size, kernel, stride, padding):
    """Return (OH, OW) for an image of size (H, W). Raises ValueError if the filter does not fit into the image."""
    fits = tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding))
    if min(fits) < 1:
        raise ValueError(f"a filter of size {kernel} does not fit into an image of size {size} with padding {padding}")
    return fits

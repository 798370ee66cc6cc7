"""What products, convolutions and copies refuse on every device: mixed dtypes, and shapes that do not fit.

A kernel does not check: it would read memory outside of its arrays, or bytes of another dtype.
"""

import numpy as np

from .patches import patch_grid


def matmul(a, b):
    """Raise TypeError or ValueError unless backend.matmul(a, b) has a result."""
    _dtypes(a, b)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ValueError(f"a product needs matrices (m, k) and (k, n); got arrays of shapes {a.shape} and {b.shape}")


def conv2d(x, w):
    _dtypes(x, w)
    if x.shape[3] != w.shape[2]:
        raise ValueError(f"filters of shape {w.shape} do not fit images of shape {x.shape}, which have other channels")


def conv_transpose2d(r, w, size, stride, padding):
    _dtypes(r, w)
    if (*patch_grid(size, w.shape[:2], stride, padding), w.shape[3]) != r.shape[1:]:
        raise ValueError(
            f"filters of shape {w.shape} on images of size {size} do not give responses of shape {r.shape}"
        )


def conv2d_weight_grad(x, r, kernel, stride, padding):
    _dtypes(x, r)
    if (len(x), *patch_grid(x.shape[1:3], kernel, stride, padding)) != r.shape[:3]:
        raise ValueError(
            f"filters of size {kernel} on images of shape {x.shape} do not give responses of shape {r.shape}"
        )


def copy_into(targets, sources):
    for target, source in zip(targets, sources, strict=True):
        if (target.shape, target.dtype) != (source.shape, source.dtype):
            kinds = f"{source.dtype} {source.shape} into {target.dtype} {target.shape}"
            raise ValueError(f"copies are made between arrays of one shape and dtype; got {kinds}")


def _dtypes(a, b):
    if a.dtype != b.dtype or a.dtype not in (np.float32, np.float64):
        raise TypeError(f"the arrays of a product must both be float32, or both float64; got {a.dtype} and {b.dtype}")

"""Small operations on arrays as one kernel each. CuPy would need two or three kernels for each of them."""

import functools
import math

import cupy as xp

SCATTER = """
    // x: (..., count, inner) -> y: (..., n, inner). y[..., start : start + count, :] = x; the other elements are 0
    const long long j = i / inner % n - start;
    y = j >= 0 && j < count ? x[(i / (inner * n) * count + j) * inner + i % inner] : T(0);
"""


@functools.cache
def scatter_kernel():
    return xp.ElementwiseKernel(
        "raw T x, int64 inner, int64 n, int64 start, int64 count", "T y", SCATTER, "tinygan_scatter"
    )


@functools.cache
def norms_kernel():
    return xp.ReductionKernel("T x", "T y", "x * x", "a + b", "y = a", "0", "tinygan_squared_norms")


@functools.cache
def interpolation_kernel():
    return xp.ElementwiseKernel("T a, T b, T t", "T y", "y = a + t * (b - a)", "tinygan_interpolate")


def scatter(x, index, shape):
    """See backend.scatter. If the index is a slice with step 1 along one axis, this is one kernel."""
    y = xp.empty(shape, x.dtype)
    *before, last = index if isinstance(index, tuple) and index else (index,)
    axis = len(before)
    part = x
    if isinstance(last, int) and x.ndim == y.ndim - 1:
        part, last = x[(*before, None)], slice(last % shape[axis], last % shape[axis] + 1)
    if part.size and part.ndim == y.ndim and isinstance(last, slice) and all(i == slice(None) for i in before):
        start, _, step = last.indices(shape[axis])
        if step == 1:
            return scatter_kernel()(part, math.prod(shape[axis + 1 :]), shape[axis], start, part.shape[axis], y)
    y.fill(0)
    y[index] = x
    return y


def squared_norms(x):
    """See backend.squared_norms."""
    return norms_kernel()(x.reshape(len(x), -1), axis=1)


def interpolate(a, b, t):
    """See backend.interpolate."""
    return interpolation_kernel()(a, b, t)

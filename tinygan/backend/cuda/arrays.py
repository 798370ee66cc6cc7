"""Scatter, concatenation, squared norms and interpolation, as one kernel each. CuPy would need several kernels."""

import functools
import math

import cupy as xp

SCATTER = """
    // x: (..., count, inner) -> y: (..., n, inner). y[..., start : start + count, :] = x, and 0 elsewhere
    const long long j = i / inner % n - start;
    y = j >= 0 && j < count ? x[(i / (inner * n) * count + j) * inner + i % inner] : T(0);
"""
NORMS = """
// x: (rows, COLUMNS) -> y: (rows,), the sum of squares of each row. One block computes one row: each thread sums some
// elements. Then the second half of these sums is added to the first half, again and again, until one sum is left
extern "C" __global__ void tinygan_squared_norms(const Real* x, Real* y) {
    __shared__ Real partial[THREADS];
    Real sum = 0;
    #pragma unroll 4
    for (int i = threadIdx.x; i < COLUMNS; i += THREADS) {
        const Real one = x[(long long)blockIdx.x * COLUMNS + i];
        sum += one * one;
    }
    partial[threadIdx.x] = sum;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
    }
    if (threadIdx.x == 0) y[blockIdx.x] = partial[0];
}
"""
THREADS = 256  # threads in a block
ARRAYS = 20  # arrays that one kernel joins, at most: CUDA allows 4096 bytes of parameters


@functools.cache
def scatter_kernel():
    return xp.ElementwiseKernel(
        "raw T x, int64 inner, int64 n, int64 start, int64 count", "T y", SCATTER, "tinygan_scatter"
    )


def norms_source(dtype, columns):
    real = {"float32": "float", "float64": "double"}[dtype]
    return f"typedef {real} Real;\nconstexpr int COLUMNS = {columns};\nconstexpr int THREADS = {THREADS};\n{NORMS}"


@functools.cache
def norms_kernel(dtype, columns):
    """Return the kernel NORMS. CuPy's ReductionKernel would use CUB, which takes seconds to compile."""
    return xp.RawKernel(norms_source(dtype, columns), "tinygan_squared_norms")


@functools.cache
def concatenation_kernel(n):
    """Return a kernel that joins n arrays. Each row of y has width0 elements of x0, then width1 elements of x1, ..."""
    inputs = "".join(f", raw T x{k}, int64 width{k}" for k in range(n))
    choice = ""
    for k in reversed(range(n)):
        choice = f"if (j < width{k}) y = x{k}[row * width{k} + j]; else {{ j -= width{k}; {choice} }}"
    program = f"const long long row = i / width; long long j = i % width; {choice}"
    return xp.ElementwiseKernel(f"int64 width{inputs}", "T y", program, "tinygan_concatenate")


@functools.cache
def interpolation_kernel():
    return xp.ElementwiseKernel("T a, T b, T t", "T y", "y = a + t * (b - a)", "tinygan_interpolate")


def scatter(x, index, shape):
    """See backend.scatter. This is one kernel if the index is a slice with step 1, or an integer, along one axis."""
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


def concatenate(arrays, axis):
    """See backend.concatenate. CuPy joins very many arrays, and refuses arrays that do not fit; see its errors."""
    first, count = arrays[0], len(arrays)
    axis = axis + first.ndim if axis < 0 else axis
    kinds = {(a.dtype, a.shape[:axis], a.shape[axis + 1 :]) for a in arrays}
    if count > ARRAYS or len(kinds) > 1 or not 0 <= axis < first.ndim:
        return xp.concatenate(arrays, axis)
    shape = list(first.shape)
    shape[axis] = sum(a.shape[axis] for a in arrays)
    y = xp.empty(shape, first.dtype)
    if y.size:
        width = math.prod(shape[axis:])
        parts = (part for a in arrays for part in (a, math.prod(a.shape[axis:])))
        concatenation_kernel(count)(width, *parts, y)
    return y


def squared_norms(x):
    """See backend.squared_norms. This is one kernel."""
    y = xp.empty(len(x), x.dtype)
    if x.size:
        x = xp.ascontiguousarray(x)
        norms_kernel(x.dtype.name, x.size // len(x))((len(x),), (THREADS,), (x, y))
    else:
        y.fill(0)
    return y


def interpolate(a, b, t):
    """See backend.interpolate."""
    return interpolation_kernel()(a, b, t)

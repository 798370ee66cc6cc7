"""cuBLAS for the stand-in: NumPy versions of the C functions that backend/cuda/blas.py calls with raw addresses.

Matrices are column-major, as in cuBLAS. `leading` is the number of elements from one column to the next. Invalid
arguments give cuBLAS's status 7, "invalid value". Here a product without a workspace gives status 7 too, because a
CUDA graph could not capture it.
"""

import ctypes

import cupy_rules
import numpy as np

INVALID = 7
TYPES = {0: np.dtype("float32"), 1: np.dtype("float64")}
COMPUTE = {0: (68, 77), 1: (70,)}  # allowed compute types: exact and TF32 for float32, one for float64


class Cublas:
    """The stand-in for the library. calls: the arguments of each product. order: the kinds of all calls, in order."""

    def __init__(self):
        self.calls, self.order, self.workspace = [], [], None

    def cublasCreate_v2(self, handle):
        handle._obj.value = 1
        self.order.append("create")
        return 0

    def cublasSetStream_v2(self, handle, stream):
        self.workspace = None  # as in cuBLAS, setting the stream resets the workspace
        self.order.append("stream")
        return 0

    def cublasSetWorkspace_v2(self, handle, address, size):
        self.workspace = address.value, size.value
        self.order.append("workspace")
        return 0 if address.value and address.value % 16 == 0 else INVALID

    def cublasGemmEx(
        self, handle, transa, transb, m, n, k, alpha, a, kind_a, lda, b, kind_b, ldb, beta, c, kind_c, ldc, compute,
        algorithm,
    ):  # fmt: skip
        self.order.append("product")
        shape_a, shape_b = ((k, m) if transa else (m, k)), ((n, k) if transb else (k, n))
        leading = (lda, shape_a[0]), (ldb, shape_b[0]), (ldc, m)
        self.calls.append(dict(transa=transa, transb=transb, m=m, n=n, k=k, ld=(lda, ldb, ldc), compute=compute))
        wrong = kind_a != kind_b or kind_b != kind_c or compute not in COMPUTE[kind_c] or handle.value != 1
        if wrong or self.workspace is None or any(ld < max(1, rows) for ld, rows in leading) or min(m, n, k) < 0:
            return INVALID
        number = {0: ctypes.c_float, 1: ctypes.c_double}[kind_c]
        if type(alpha._obj) is not number or type(beta._obj) is not number:
            return INVALID
        A, B = by_columns(a, kind_a, lda, shape_a), by_columns(b, kind_b, ldb, shape_b)
        C, alpha, beta = by_columns(c, kind_c, ldc, (m, n)), alpha._obj.value, beta._obj.value
        A, B = A.T if transa else A, B.T if transb else B
        real = C.dtype.type

        def compute_product():
            product = (A @ B) if alpha == 1 else real(alpha) * (A @ B)
            C[...] = product + real(beta) * C if beta else product  # with beta 0, C is not read

        cupy_rules.run(compute_product, [A, B], [C], "product")
        return 0


def by_columns(address, kind, leading, shape):
    """Return the column-major matrix of this shape at an address. kind: a key of TYPES."""
    rows, columns = shape
    dtype = TYPES[kind]
    length = leading * (columns - 1) + rows if rows and columns else 0
    memory = (ctypes.c_char * (length * dtype.itemsize)).from_address(address.value)
    strides = (dtype.itemsize, leading * dtype.itemsize)
    return np.lib.stride_tricks.as_strided(np.frombuffer(memory, dtype), shape, strides)

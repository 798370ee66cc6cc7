"""cuBLAS for the stand-in: the C functions that backend/cuda/blas.py calls, done by NumPy on the addresses it is given.

As the library does, it counts by columns: an (m, n) matrix lies column after column, `leading` elements from one to the
next. What the library would refuse is refused with its status 7, an invalid value, and so is a product on a handle
that has no workspace on its stream: a graph could not hold it. `calls` are the arguments of every product.
"""

import ctypes

import cupy_rules
import numpy as np

INVALID = 7
TYPES = {0: np.dtype("float32"), 1: np.dtype("float64")}
COMPUTE = {0: (68, 77), 1: (70,)}  # the kinds of arithmetic for each: float32 exact and as TF32; float64


class Cublas:
    """The library. order: the names of the functions in the order of their calls."""

    def __init__(self):
        self.calls, self.order, self.workspace = [], [], None

    def cublasCreate_v2(self, handle):
        handle._obj.value = 1
        self.order.append("create")
        return 0

    def cublasSetStream_v2(self, handle, stream):
        self.workspace = None  # as documented: back to the library's own, which a capture may not use
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
            C[...] = product + real(beta) * C if beta else product  # with beta 0 what lies in C is not read

        cupy_rules.run(compute_product, [A, B], [C], "product")
        return 0


def by_columns(address, kind, leading, shape):
    """The matrix at an address."""
    rows, columns = shape
    dtype = TYPES[kind]
    length = leading * (columns - 1) + rows if rows and columns else 0
    memory = (ctypes.c_char * (length * dtype.itemsize)).from_address(address.value)
    strides = (dtype.itemsize, leading * dtype.itemsize)
    return np.lib.stride_tricks.as_strided(np.frombuffer(memory, dtype), shape, strides)

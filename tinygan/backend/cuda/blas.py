"""Matrix products that a graph can hold: cuBLAS through ctypes, on a handle of our own.

CuPy refuses its own cuBLAS calls while a stream captures. cuBLAS allows them if the memory it works in is there
already: it takes that from us, 32 MiB, as NVIDIA advises for Hopper.

cuBLAS counts columns first: what is (m, k) by rows to us is (k, m) by columns to it. So it is asked for the transposed
product, out^T = b^T a^T, whose operands are our arrays as they lie in memory; a transposed view is a flag, no copy.
"""

import ctypes
import functools
from typing import NamedTuple

import cupy as xp

from .. import DeviceError

WORKSPACE = 32 << 20  # bytes
REAL_32, REAL_64 = 0, 1  # cudaDataType
COMPUTE_32, COMPUTE_64, COMPUTE_TF32 = 68, 70, 77  # cublasComputeType_t
KINDS = {"float32": (REAL_32, ctypes.c_float), "float64": (REAL_64, ctypes.c_double)}
ANY_ALGORITHM = -1

_tf32 = False


def tf32(on):
    """Whether products of float32 may round their factors to TensorFloat-32: 10 bits after the point instead of 23,
    several times as fast; sums stay float32. Off to begin with, and never for float64. A graph keeps what was set when
    it was captured. On the CPU it does nothing."""
    global _tf32
    _tf32 = on


def matmul(a, b):
    """a: (m, k), b: (k, n) -> (m, n)."""
    return gemm(a, b)


def gemm(a, b, out=None, alpha=1.0, beta=0.0):
    """out <- alpha a b + beta out        a: (m, k), b: (k, n), out: (m, n), rows without gaps in them, or a new one.

    Operands are views of any kind; those whose rows or columns have gaps in them are copied. Raises TypeError for
    dtypes that differ or are no real numbers, ValueError for shapes that do not fit.
    """
    (m, k), n = a.shape, b.shape[1]
    out = xp.empty((m, n), a.dtype) if out is None else out
    if not a.dtype == b.dtype == out.dtype or a.dtype.name not in KINDS:
        raise TypeError(f"a product needs float32 or float64 throughout; got {a.dtype} and {b.dtype} into {out.dtype}")
    if len(b) != k or out.shape != (m, n):
        raise ValueError(f"shapes do not fit: {a.shape} times {b.shape} into {out.shape}")
    if not (m and k and n):  # a sum of nothing
        out[...] = beta * out if beta else 0.0
        return out
    rows = layout(out)
    if rows is None or rows.transposed:
        raise ValueError(f"the result needs rows without gaps; got strides {out.strides}")
    handle().gemm(operand(b), operand(a), (n, m, k), out, rows.leading, alpha, beta)
    return out


class Layout(NamedTuple):
    """How a matrix lies in memory."""

    array: "xp.ndarray"
    transposed: int
    leading: int  # elements from a row, or of a transposed one a column, to the next


def layout(x):
    """The Layout of a matrix with whole rows, or whole columns; None for any other."""
    for transposed, matrix in enumerate((x, x.T)):
        (rows, columns), (down, across) = matrix.shape, matrix.strides
        whole = columns <= 1 or across == x.itemsize
        apart = rows <= 1 or (down >= columns * x.itemsize and down > 0 and down % x.itemsize == 0)
        if whole and apart:  # the stride of an axis of one element says nothing
            return Layout(x, transposed, max(1, columns, down // x.itemsize if rows > 1 else 0))
    return None


def operand(x):
    return layout(x) or layout(xp.ascontiguousarray(x))


class Handle:
    """cuBLAS's state, its workspace, and the stream it was last used on."""

    def __init__(self):
        self.library, self.handle, self.stream = library(), ctypes.c_void_p(), None
        self.call("cublasCreate_v2", ctypes.byref(self.handle))
        self.workspace = xp.empty(WORKSPACE, "uint8")

    def gemm(self, a, b, shape, out, leading, alpha, beta):
        """out <- alpha a b + beta out, all of it counted by columns. a, b: Lies; shape: (m, n, k)."""
        self.follow(xp.cuda.get_current_stream().ptr)
        kind, number = KINDS[out.dtype.name]
        compute = COMPUTE_64 if kind == REAL_64 else COMPUTE_TF32 if _tf32 else COMPUTE_32
        self.call(
            "cublasGemmEx", self.handle, a.transposed, b.transposed, *shape,
            ctypes.byref(number(alpha)), pointer(a.array), kind, a.leading, pointer(b.array), kind, b.leading,
            ctypes.byref(number(beta)), pointer(out), kind, leading, compute, ANY_ALGORITHM,
        )  # fmt: skip

    def follow(self, stream):
        """Work on this stream. To set the stream takes the workspace away, so it comes first."""
        if stream != self.stream:
            self.call("cublasSetStream_v2", self.handle, ctypes.c_void_p(stream))
            self.call("cublasSetWorkspace_v2", self.handle, pointer(self.workspace), ctypes.c_size_t(WORKSPACE))
            self.stream = stream

    def call(self, name, *args):
        status = getattr(self.library, name)(*args)
        if status:
            raise RuntimeError(f"{name} failed with cuBLAS status {status}")


@functools.cache
def handle():
    """One for the process, as there is one device."""
    return Handle()


def library():
    """cuBLAS, from where CuPy takes it too: NVIDIA's wheels, conda, or the system's toolkit. Raises DeviceError."""
    from cuda.pathfinder import DynamicLibNotFoundError, load_nvidia_dynamic_lib  # a dependency of CuPy

    try:
        return ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)
    except DynamicLibNotFoundError as error:
        raise DeviceError(f"device cuda needs cuBLAS: pip install 'cupy-cuda12x[ctk]', or cuda13x ({error})") from None


def pointer(array):
    return ctypes.c_void_p(array.data.ptr)

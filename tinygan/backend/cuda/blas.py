"""Matrix products that a CUDA graph can capture. They call cuBLAS through ctypes, with a handle that CuPy does not use.

CuPy does not call cuBLAS while a stream is captured. cuBLAS itself allows capture if its workspace is allocated before.
The workspace has 32 MiB, as NVIDIA recommends for Hopper.

cuBLAS is column-major: it reads a row-major array (m, k) as its transpose, a (k, m) matrix. So out = a b is computed
as out^T = b^T a^T, and cuBLAS reads and writes the row-major arrays without copies. If a factor is a transposed view,
only a flag of the call changes.
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
NO_MEMORY = (1, 3)  # the statuses of a GPU whose memory is full: "not initialized", "allocation failed"

_tf32 = False


def tf32(on):
    """See backend.tf32. Factors are rounded to TensorFloat-32; sums remain float32. Products of float64 do not change.

    GPUs before Ampere (compute capability 8.0) have no TensorFloat-32, so there the setting has no effect. It does not
    change graphs that were captured before.
    """
    global _tf32
    _tf32 = on and int(xp.cuda.Device().compute_capability) >= 80


def matmul(a, b):
    """See backend.matmul. A view with neither contiguous rows nor contiguous columns is copied."""
    (m, k), n = a.shape, b.shape[1]
    if not (m and k and n):  # empty sums are zero
        return xp.zeros((m, n), a.dtype)
    out = xp.empty((m, n), a.dtype)
    handle().gemm(operand(b), operand(a), (n, m, k), out)
    return out


class Layout(NamedTuple):
    """A matrix and its layout in memory. transposed: 0 if its rows are contiguous, 1 if its columns are."""

    array: "xp.ndarray"
    transposed: int
    leading: int  # elements from the beginning of one row (if transposed: column) to the next


def layout(x):
    """Return the Layout of a matrix with contiguous rows or columns; None for any other matrix."""
    for transposed, matrix in enumerate((x, x.T)):
        (rows, columns), (down, across) = matrix.shape, matrix.strides
        contiguous = columns <= 1 or across == x.itemsize
        apart = rows <= 1 or (down >= columns * x.itemsize and down > 0 and down % x.itemsize == 0)
        if contiguous and apart:  # the stride along an axis of one element means nothing
            return Layout(x, transposed, max(1, columns, down // x.itemsize if rows > 1 else 0))
    return None


def operand(x):
    return layout(x) or layout(xp.ascontiguousarray(x))


class Handle:
    """A cuBLAS handle, its workspace, and the stream of its last call."""

    def __init__(self):
        self.library, self.handle, self.stream = library(), ctypes.c_void_p(), None
        self.call("cublasCreate_v2", ctypes.byref(self.handle))
        self.workspace = xp.empty(WORKSPACE, "uint8")

    def gemm(self, a, b, shape, out):
        """out = a b, in cuBLAS's column-major order: a is m x k, b is k x n. a, b: Layouts; shape: (m, n, k).

        out is row-major like all arrays of tinygan, so its shape is (n, m).
        """
        self.use_stream(xp.cuda.get_current_stream().ptr)
        kind, number = KINDS[out.dtype.name]
        compute = COMPUTE_64 if kind == REAL_64 else COMPUTE_TF32 if _tf32 else COMPUTE_32
        self.call(
            "cublasGemmEx", self.handle, a.transposed, b.transposed, *shape,
            ctypes.byref(number(1.0)), pointer(a.array), kind, a.leading, pointer(b.array), kind, b.leading,
            ctypes.byref(number(0.0)), pointer(out), kind, shape[0], compute, ANY_ALGORITHM,
        )  # fmt: skip

    def use_stream(self, stream):
        """Set the stream if it changed. Then set the workspace again, because cublasSetStream resets it."""
        if stream != self.stream:
            self.call("cublasSetStream_v2", self.handle, ctypes.c_void_p(stream))
            self.call("cublasSetWorkspace_v2", self.handle, pointer(self.workspace), ctypes.c_size_t(WORKSPACE))
            self.stream = stream

    def call(self, name, *args):
        status = getattr(self.library, name)(*args)
        if status:
            kind = MemoryError if status in NO_MEMORY else RuntimeError
            raise kind(f"{name} failed with cuBLAS status {status}")


@functools.cache
def handle():
    """Return the handle. A process has only one, because it uses one GPU."""
    return Handle()


def library():
    """Load cuBLAS from NVIDIA's wheels, conda, or the system, as CuPy does. Raises DeviceError if there is none."""
    from cuda.pathfinder import DynamicLibNotFoundError, load_nvidia_dynamic_lib  # a dependency of CuPy

    try:
        return ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)
    except DynamicLibNotFoundError as error:
        raise DeviceError(
            f"device cuda needs cuBLAS: pip install 'cupy-cuda12x[ctk]' or 'cupy-cuda13x[ctk]' ({error})"
        ) from None


def pointer(array):
    return ctypes.c_void_p(array.data.ptr)

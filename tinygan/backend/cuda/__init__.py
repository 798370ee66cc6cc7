"""The backend on CUDA, with CuPy. backend/__init__.py documents the functions.

A training step consists of many short kernels, and Python needs longer to start a kernel than the GPU to run it. So a
step is captured once as a CUDA graph, and then replayed (graph.py). Python does not wait until the GPU has run a
replay; to_host does. CuPy's matrix products cannot be captured; the products of blas.py can.
Elementwise functions are in fusion.py and sums.py, patches in kernels.py.
"""

import os

from ...extras import pip_install
from .. import DeviceError, distributed

try:
    os.environ.setdefault("CUPY_ACCELERATORS", "")  # sums by CUB would compile for seconds, once for each shape
    import cupy as xp
except ImportError as error:
    raise DeviceError(
        f"device cuda needs CuPy: {pip_install('cuda12')} or, where nvidia-smi shows CUDA 13, {pip_install('cuda13')} "
        f"({error}); --device cpu works without it"
    ) from None

from ..patches import patch_grid
from .blas import matmul, tf32
from .fusion import copy_into, fuse
from .graph import capture
from .kernels import col2im, gather, im2col
from .random import RNG
from .sums import column_sums, mean_and_variance

_used = None  # the number of the GPU that this process uses


def start(index):
    """Use the GPU with number `index`. None: process n of this machine uses GPU n, modulo the number of GPUs.

    Raises DeviceError if there is no such GPU, if it cannot run a kernel or a matrix product, or if this process used
    another GPU before: the cuBLAS handle is in the memory of one GPU.
    """
    global _used
    try:
        count = xp.cuda.runtime.getDeviceCount()
    except xp.cuda.runtime.CUDARuntimeError as error:
        raise DeviceError(
            f"CuPy is installed but finds no CUDA GPU ({error}): check with nvidia-smi, or use --device cpu"
        ) from None
    if index is None:
        index = distributed.local_rank % max(1, count)
    if index >= count:
        raise DeviceError(f"there is no cuda:{index}: this machine has {count} CUDA GPU{'s' if count != 1 else ''}")
    if _used not in (None, index):
        raise DeviceError(f"this process uses cuda:{_used}: start a new process, or a new kernel, to use cuda:{index}")
    try:
        xp.cuda.Device(index).use()
        matmul(xp.full((1, 1), 2.0, "float32") + xp.float32(1), xp.ones((1, 1), "float32")).item()
    except DeviceError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {(str(error).strip() or 'no reason given').splitlines()[0]}"
        raise DeviceError(f"CuPy finds the GPU but cannot compute on it ({reason}): {advice(error)}") from None
    _used = index


def advice(error):
    """Return what to do about an error of the first kernel or the first product."""
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return "the memory of the GPU is full; nvidia-smi shows which programs use it"
    if isinstance(error, OSError) and error.filename:
        return "CuPy keeps compiled kernels in a folder; set CUPY_CACHE_DIR to one that can be written"
    libraries = f"{pip_install('cuda12')} or {pip_install('cuda13')}"  # NVRTC, CUDA headers or cuBLAS may be missing
    return f"install the compiler and libraries with {libraries}, or use --device cpu"


def to_host(array):
    return xp.asnumpy(array)


def to_device(array):
    return xp.asarray(array)


def conv2d(x, w, stride, padding):
    """y = patches(x) w"""
    grid = patch_grid(x.shape[1:3], w.shape[:2], stride, padding)
    patches = im2col(x, w.shape[:2], stride, padding)
    return matmul(patches, w.reshape(-1, w.shape[3])).reshape(len(x), *grid, w.shape[3])


def conv_transpose2d(r, w, size, stride, padding):
    """x = patches^T(r w^T)        A matrix product computes the patches r w^T, and col2im adds them up."""
    columns = matmul(r.reshape(-1, r.shape[3]), w.reshape(-1, w.shape[3]).T)
    return col2im(columns, (len(r), *size, w.shape[2]), w.shape[:2], stride, padding)


def conv2d_weight_grad(x, r, kernel, stride, padding):
    """w = patches(x)^T r"""
    patches = im2col(x, kernel, stride, padding)
    return matmul(patches.T, r.reshape(-1, r.shape[3])).reshape(*kernel, x.shape[3], r.shape[3])

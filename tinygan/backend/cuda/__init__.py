"""CUDA, through CuPy. The same functions as cpu/. Only to_host and AsyncCopy.get wait for the device.

A training step is a few hundred kernels of a few microseconds each. Launching one from Python takes longer than that,
so a step is captured once and replayed as one graph (graph.py). CuPy's matrix products cannot be captured; ours can
(blas.py). kernels.py: patches. fusion.py, sums.py: elementwise functions. random.py: noise, new at each replay.
"""

import numpy as np

from ...extras import pip_install
from .. import DeviceError, distributed

try:
    import cupy as xp
except ImportError as error:
    raise DeviceError(
        f"device cuda needs CuPy: {pip_install('cuda12')} or, where nvidia-smi shows CUDA 13, {pip_install('cuda13')} "
        f"({error}); --device cpu works without"
    ) from None

from ..patches import patch_grid
from .arrays import interpolate, scatter, squared_norms
from .blas import matmul, tf32
from .fusion import add_into, fuse
from .graph import capture
from .kept import keep_patches, kept_patches, ones
from .kernels import col2im, gather, im2col
from .random import RNG
from .sums import column_sums, mean_and_variance


def start(index):
    """Use the GPU of this number. None: the first one; of several processes on a machine, each uses its own.

    Raises DeviceError if there is none, or if it cannot run a kernel and a product.
    """
    try:
        count = xp.cuda.runtime.getDeviceCount()
    except xp.cuda.runtime.CUDARuntimeError as error:
        raise DeviceError(
            f"CuPy is installed and finds no CUDA GPU ({error}): see what nvidia-smi says, or use --device cpu"
        ) from None
    if index is None:
        index = distributed.local_rank % max(1, count)
    if index >= count:
        raise DeviceError(f"there is no cuda:{index}: this machine has {count} CUDA GPU{'s' if count != 1 else ''}")
    xp.cuda.Device(index).use()
    try:
        matmul(xp.full((1, 1), 2.0, "float32") + xp.float32(1), xp.ones((1, 1), "float32")).item()
    except DeviceError:
        raise
    except Exception as error:  # no NVRTC, no CUDA headers, no cuBLAS, a driver that is too old
        reason = f"{type(error).__name__}: {(str(error).strip() or 'no reason given').splitlines()[0]}"
        raise DeviceError(
            f"CuPy finds the GPU and cannot compute on it ({reason}): install the compiler and libraries with "
            f"{pip_install('cuda12')} or {pip_install('cuda13')}, or use --device cpu"
        ) from None


def to_host(array):
    return xp.asnumpy(array)


def to_device(array):
    return xp.asarray(array)


class AsyncCopy:
    """See backend.AsyncCopy. The copy is queued after the work that computes the array; the host does not wait."""

    def __init__(self, array):
        pinned = xp.cuda.alloc_pinned_memory(array.nbytes)  # a copy to pageable memory would make the host wait
        self.array = np.frombuffer(pinned, array.dtype, array.size).reshape(array.shape)
        array.get(out=self.array, blocking=False)
        self.arrival = xp.cuda.get_current_stream().record()

    def ready(self):
        return self.arrival.done

    def get(self):
        self.arrival.synchronize()
        return self.array


def conv2d(x, w, stride, padding):
    """y = patches(x) w"""
    grid = patch_grid(x.shape[1:3], w.shape[:2], stride, padding)
    patches = keep_patches(x, im2col(x, w.shape[:2], stride, padding), w.shape[:2], stride, padding)
    return matmul(patches, w.reshape(-1, w.shape[3])).reshape(len(x), *grid, w.shape[3])


def conv_transpose2d(g, w, size, stride, padding):
    """x = patches^T(g w^T): one product, then overlapping patches are added up"""
    columns = matmul(g.reshape(-1, g.shape[3]), w.reshape(-1, w.shape[3]).T)
    return col2im(columns, (len(g), *size, w.shape[2]), w.shape[:2], stride, padding)


def conv2d_weight_grad(x, g, kernel, stride, padding):
    """w = patches(x)^T g"""
    patches = kept_patches(x, kernel, stride, padding)
    if patches is None:
        patches = im2col(x, kernel, stride, padding)
    return matmul(patches.T, g.reshape(-1, g.shape[3])).reshape(*kernel, x.shape[3], g.shape[3])

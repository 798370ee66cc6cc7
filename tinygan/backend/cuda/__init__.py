"""CUDA: CuPy. The same names as cpu.py; nothing here waits for the device except to_host and AsyncCopy.get.

A training step is a few hundred kernels of a few microseconds, and to launch one from Python takes longer than that.
So all of it can be captured once and replayed (graph.py), which CuPy's own matrix products cannot: ours are in blas.py.
kernels.py has what CuPy lacks or does slowly, fusion.py elementwise functions, random.py noise that differs by replay.
"""

import numpy as np

from .. import DeviceError

try:
    import cupy as xp
except ImportError as error:
    raise DeviceError(
        "device cuda needs CuPy: pip install -e '.[cuda12]' or, where nvidia-smi shows CUDA 13, '.[cuda13]' "
        f"({error}); --device cpu works without"
    ) from None

from ..patches import patch_grid
from .blas import matmul, tf32
from .fusion import centred_sums, column_sums, fuse, mean_and_variance
from .graph import capture
from .kernels import col2im, im2col
from .random import RNG


def start(index):
    """Make GPU number `index` the one in use. Raises DeviceError when there is none of that number."""
    try:
        count = xp.cuda.runtime.getDeviceCount()
    except xp.cuda.runtime.CUDARuntimeError as error:
        raise DeviceError(
            f"CuPy is installed and finds no CUDA GPU ({error}): see what nvidia-smi says, or use --device cpu"
        ) from None
    if index >= count:
        raise DeviceError(f"there is no cuda:{index}: this machine has {count} CUDA GPU{'s' if count != 1 else ''}")
    xp.cuda.Device(index).use()


def to_host(array):
    return xp.asnumpy(array)


def to_device(array):
    return xp.asarray(array)


class AsyncCopy:
    """See cpu.py. The copy is queued behind the work that makes the array, and the host goes on."""

    def __init__(self, array):
        pinned = xp.cuda.alloc_pinned_memory(array.nbytes)  # a copy to memory that can be paged out would wait
        self.array = np.frombuffer(pinned, array.dtype, array.size).reshape(array.shape)
        array.get(out=self.array, blocking=False)
        self.arrival = xp.cuda.get_current_stream().record()

    def ready(self):
        return self.arrival.done

    def get(self):
        self.arrival.synchronize()
        return self.array


def conv2d(x, w, stride, padding):
    """See autograd/convolution.py."""
    grid = patch_grid(x.shape[1:3], w.shape[:2], stride, padding)
    patches = im2col(x, w.shape[:2], stride, padding)
    return matmul(patches, w.reshape(-1, w.shape[3])).reshape(len(x), *grid, w.shape[3])


def conv_transpose2d(g, w, size, stride, padding):
    """See autograd/convolution.py."""
    columns = matmul(g.reshape(-1, g.shape[3]), w.reshape(-1, w.shape[3]).T)
    return col2im(columns, (len(g), *size, w.shape[2]), w.shape[:2], stride, padding)


def conv2d_weight_grad(x, g, kernel, stride, padding):
    """See autograd/convolution.py."""
    patches = im2col(x, kernel, stride, padding)
    return matmul(patches.T, g.reshape(-1, g.shape[3])).reshape(*kernel, x.shape[3], g.shape[3])

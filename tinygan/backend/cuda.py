"""CUDA: CuPy. The same names as cpu.py; nothing here waits for the device except to_host."""

import numpy as np

from .device import DeviceError

try:
    import cupy as xp
except ImportError as error:
    raise DeviceError(
        "device cuda needs CuPy: pip install -e '.[cuda12]' or, where nvidia-smi shows CUDA 13, '.[cuda13]' "
        f"({error}); --device cpu works without"
    ) from None

from .patches import col2im, im2col, patch_grid

__all__ = [
    "Generator", "col2im", "column_sums", "conv2d", "conv2d_filter", "conv_transpose2d", "fuse_here", "im2col",
    "matmul", "start", "to_device", "to_host", "xp",
]  # fmt: skip


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


def fuse_here(function):
    """See backend.fuse. One kernel."""
    kernel = xp.fuse(function, kernel_name=function.__name__)

    def fused(*args, out=None):
        results = kernel(*args)
        if out is None:
            return results
        outs, results = (out, results) if isinstance(out, tuple) else ((out,), (results,))
        for target, result in zip(outs, results):
            target[...] = result
        return out

    return fused


def column_sums(function, *args):
    """The sum of function(*args) over all axes but the last: see cpu.py."""
    x = function(*args)
    return x.reshape(-1, x.shape[-1] if x.ndim > 1 else 1).sum(axis=0)


def matmul(a, b):
    return a @ b


def conv2d(x, w, stride, padding):
    """See autograd/convolution.py."""
    grid = patch_grid(x.shape[1:3], w.shape[:2], stride, padding)
    patches = im2col(x, w.shape[:2], stride, padding)
    return matmul(patches, w.reshape(-1, w.shape[3])).reshape(len(x), *grid, w.shape[3])


def conv_transpose2d(g, w, size, stride, padding):
    """See autograd/convolution.py."""
    columns = matmul(g.reshape(-1, g.shape[3]), w.reshape(-1, w.shape[3]).T)
    return col2im(columns, (len(g), *size, w.shape[2]), w.shape[:2], stride, padding)


def conv2d_filter(x, g, kernel, stride, padding):
    """See autograd/convolution.py."""
    patches = im2col(x, kernel, stride, padding)
    return matmul(patches.T, g.reshape(-1, g.shape[3])).reshape(*kernel, x.shape[3], g.shape[3])


# Philox 4x32-10 (Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3): ten rounds that turn a counter and
# a key into random bits. Counter: (i, 0, low and high word of the draw's number). Each element takes a call of its own.
PHILOX = r"""
__device__ uint2 philox(unsigned int i, unsigned long long draw, unsigned int key0, unsigned int key1) {
    unsigned int c0 = i, c1 = 0, c2 = (unsigned int)draw, c3 = (unsigned int)(draw >> 32);
    for (int round = 0; round < 10; round++) {
        unsigned int high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
        unsigned int high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
        c0 = high1 ^ c1 ^ key0;  c1 = low1;  c2 = high0 ^ c3 ^ key1;  c3 = low0;
        key0 += 0x9E3779B9u;  key1 += 0xBB67AE85u;
    }
    return make_uint2(c0, c1);
}
"""
INPUTS = "raw uint64 draws, raw uint32 key"
UNIFORM = "y = (T)(philox(i, draws[0], key[0], key[1]).x >> 8) * (T)5.9604644775390625e-08"  # 24 bits: stays below 1
NORMAL = """
    uint2 bits = philox(i, draws[0], key[0], key[1]);
    T u = ((T)bits.x + (T)1) * (T)2.3283064365386963e-10;      // (0, 1]: its logarithm is finite
    y = sqrt((T)-2 * log(u)) * cos((T)1.4629180792671596e-09 * (T)bits.y)     // Box-Muller: 2 pi / 2^32
"""


class Generator:
    """Seeded random numbers: a key, and a count of draws that lives on the device, so a captured draw can be replayed
    and is another one each time. State: two arrays."""

    def __init__(self, seed):
        self.key = xp.asarray(np.random.SeedSequence(seed).generate_state(2))
        self.draws = xp.zeros(1, "uint64")
        self._uniform = xp.ElementwiseKernel(INPUTS, "T y", UNIFORM, "tinygan_uniform", preamble=PHILOX)
        self._normal = xp.ElementwiseKernel(INPUTS, "T y", NORMAL, "tinygan_normal", preamble=PHILOX)

    def normal(self, shape, dtype="float32"):
        """N(0, 1)."""
        return self._draw(self._normal, shape, dtype)

    def uniform(self, shape, dtype="float32"):
        """U[0, 1)."""
        return self._draw(self._uniform, shape, dtype)

    def _draw(self, kernel, shape, dtype):
        numbers = kernel(self.draws, self.key, xp.empty(shape, dtype))
        self.draws += 1
        return numbers

    def state_dict(self):
        return {"key": self.key, "draws": self.draws}

    def load_state_dict(self, saved):
        if saved.keys() != {"key", "draws"}:
            raise ValueError("the saved random state is not one of device cuda; resume on the device that saved it")
        self.key[...] = xp.asarray(saved["key"])
        self.draws[...] = xp.asarray(saved["draws"])

"""The CPU: NumPy, on all cores."""

import math

import numpy as xp

from . import threads
from .fusion import centred_sums, column_sums, fuse_here, moments
from .patches import im2col, patch_grid, windows

__all__ = [
    "Generator", "Transfer", "capture", "centred_sums", "column_sums", "conv2d", "conv2d_filter", "conv_transpose2d",
    "fuse_here", "im2col", "matmul", "moments", "start", "tf32", "to_device", "to_host", "xp",
]  # fmt: skip

PATCHES = 1 << 18  # elements of a block of patches, 1 MiB
LANES = 4  # partial sums of a filter gradient
PRODUCT = 1 << 22  # multiplications under which a product is not worth a second thread
PIECE = 1 << 26  # multiplications in a piece of a larger one; two pieces at least, each a multiple of 64 wide


def start(index):
    """There is one CPU; make NumPy ready for it."""
    threads.one_product_a_thread()
    threads.keep_memory()


def to_host(array):
    return xp.asarray(array)


def to_device(array):
    return xp.asarray(array)


class Transfer:
    """A copy of an array, as it is now, on its way to the host; here it is there at once."""

    def __init__(self, array):
        self.array = array.copy()

    def ready(self):
        """Whether it has arrived."""
        return True

    def get(self):
        """The numpy.ndarray; waits until it has arrived."""
        return self.array


def capture(function):
    """A step, a function of no arguments that changes arrays in place, as a function to be called for each step: here
    itself, on CUDA one graph of kernels after its first calls. All that a step changes must be arrays: what it counts
    in Python stays as it was."""
    return function


def tf32(on):
    """On CUDA, whether products of float32 may be rounded for speed. Here they are what they are."""


def matmul(a, b):
    """a: (m, k), b: (k, n) -> (m, n), cut along the longer side of the result."""
    (m, k), n = a.shape, b.shape[1]
    if m * k * n < PRODUCT or max(m, n) < 128 or min(m, n) == 1:
        return a @ b
    pieces = max(2, m * k * n // PIECE)  # by the size alone: how a product is cut decides its last bits
    y = xp.empty((m, n), xp.result_type(a, b))

    def compute(block):
        if m >= n:
            xp.matmul(a[block], b, out=y[block])
        else:
            xp.matmul(a, b[:, block], out=y[:, block])

    threads.run(compute, threads.cut(max(m, n), -(-max(m, n) // (64 * pieces)) * 64))
    return y


def conv2d(x, w, stride, padding):
    """See autograd/convolution.py. A block of images at a time: its patches never leave the cache."""
    y = xp.empty((len(x), *patch_grid(x.shape[1:3], w.shape[:2], stride, padding), w.shape[3]), x.dtype)
    filters = w.reshape(-1, w.shape[3])

    def compute(images):
        patches = im2col(x[images], w.shape[:2], stride, padding)
        xp.matmul(patches, filters, out=y[images].reshape(-1, w.shape[3]))

    threads.run(compute, _images(y, w))
    return y


def conv_transpose2d(g, w, size, stride, padding):
    """See autograd/convolution.py. No adding up of overlaps: every cell of `stride` pixels is painted by one patch of
    g, response t - r by the filters' rows stride r + (0 ... stride - 1); so this is a convolution of g, to cells.
    """
    (kh, kw, c, depth), (sh, sw), (n, *grid, _) = w.shape, stride, g.shape
    (qh, top, rows), (qw, left, columns) = map(_cells, size, (kh, kw), stride, padding)
    y0, x0 = padding[0] - top * sh, padding[1] - left * sw  # where the image begins in the first cell
    filters = xp.zeros((qh * sh, qw * sw, c, depth), w.dtype)
    filters[:kh, :kw] = w
    filters = filters.reshape(qh, sh, qw, sw, c, depth)[::-1, :, ::-1].transpose(0, 2, 5, 1, 3, 4)
    filters = filters.reshape(qh * qw * depth, sh * sw * c)
    x = xp.empty((n, *size, c), g.dtype)

    def compute(images):
        padded = xp.zeros((len(x[images]), rows + qh - 1, columns + qw - 1, depth), g.dtype)
        inside = padded[:, qh - 1 - top :, qw - 1 - left :][:, : grid[0], : grid[1]]
        inside[...] = g[images, : inside.shape[1], : inside.shape[2]]
        cells = windows(padded, (qh, qw), (1, 1)).reshape(-1, qh * qw * depth) @ filters
        cells = cells.reshape(-1, rows, columns, sh, sw, c).transpose(0, 1, 3, 2, 4, 5)
        x[images] = cells.reshape(-1, rows * sh, columns * sw, c)[:, y0 : y0 + size[0], x0 : x0 + size[1]]

    threads.run(compute, threads.cut_evenly(n, n * rows * columns * qh * qw * depth, PATCHES))
    return x


def _cells(size, k, stride, padding):
    """In one direction: responses that paint a cell, cells left out since they lie in the padding, cells computed."""
    painters = -(-k // stride)
    left_out = min(padding // stride, painters - 1)
    return painters, left_out, -(-(size + padding) // stride) - left_out


def conv2d_filter(x, g, kernel, stride, padding):
    """See autograd/convolution.py. Each lane adds up its share of the blocks, then the lanes are added up."""
    w = xp.zeros((*kernel, x.shape[3], g.shape[3]), x.dtype)
    blocks = _images(g, w)

    def compute(lane):
        total = xp.zeros((w.size // g.shape[3], g.shape[3]), x.dtype)
        for images in blocks[lane::LANES]:
            total += im2col(x[images], kernel, stride, padding).T @ g[images].reshape(-1, g.shape[3])
        return total

    for total in threads.run(compute, range(min(LANES, len(blocks)))):
        w += total.reshape(w.shape)
    return w


def _images(responses, w):
    """Blocks of images (N, OH, OW, _) whose patches under the filters w are at most about PATCHES elements."""
    n, patches = len(responses), math.prod(responses.shape[1:3]) * math.prod(w.shape[:3])
    return threads.cut_evenly(n, n * patches, PATCHES)


class Generator:
    """Seeded random numbers. Its state is an array, so that a checkpoint can hold it."""

    def __init__(self, seed):
        self.generator = xp.random.Generator(xp.random.SFC64(seed))

    def normal(self, shape, dtype="float32"):
        """N(0, 1)."""
        return self.generator.standard_normal(shape, dtype)

    def uniform(self, shape, dtype="float32"):
        """U[0, 1)."""
        return self.generator.random(shape, dtype)

    def state_dict(self):
        state = self.generator.bit_generator.state
        spare = [state["has_uint32"], state["uinteger"]]  # half a word that was drawn and not yet used
        return {"state": xp.concatenate([state["state"]["state"], xp.array(spare, "uint64")])}

    def load_state_dict(self, saved):
        words = xp.asarray(saved.get("state", ()))
        if words.shape != (6,) or words.dtype != "uint64":
            raise ValueError("the saved random state is not one of device cpu; resume on the device that saved it")
        self.generator.bit_generator.state = {
            "bit_generator": "SFC64",
            "state": {"state": words[:4].copy()},
            "has_uint32": int(words[4]),
            "uinteger": int(words[5]),
        }

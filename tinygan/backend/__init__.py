"""Where arrays live: the only place that knows NumPy from CuPy.

`use(device)` is called once, before anything is built. Everything else reads `backend.xp`, `backend.matmul`
and so on at the moment it computes, so one source runs on either device. `cpu.py` and `cuda/` offer the same
names; `use` puts those of the chosen one here.
"""

import functools
import importlib
import re


class DeviceError(RuntimeError):
    """The device that was asked for cannot be used; the message says what to install or choose."""


OFFERS = (
    "xp",  # the array namespace: numpy or cupy
    "to_host",  # array -> numpy.ndarray
    "to_device",  # numpy.ndarray -> array
    "AsyncCopy",  # array -> numpy.ndarray, without waiting for the device
    "RNG",  # seeded random numbers; its state can be saved and set
    "fuse_here",  # what `fuse` below does on this device
    "column_sums",  # the sum of such a function over all axes but the last
    "moments",  # mean and variance over the same
    "centred_sums",  # of a gradient, and of its product with what is centred
    "matmul",
    "im2col",  # images -> patches: a part of those below, here for the tests
    "conv2d",  # see autograd/convolution.py
    "conv_transpose2d",
    "conv2d_weight_grad",
    "capture",  # a step -> the same step, on CUDA as one graph
    "tf32",  # whether products of float32 may be rounded for speed, on CUDA
)


def use(name="auto"):
    """Choose the device for this process: "cpu", "cuda", "cuda:1", or "auto" (CUDA where it works, else the CPU).

    Arrays made before the call stay where they are, so call it first. Returns the name of the device taken.
    Raises DeviceError when the device cannot be had, ValueError when there is no device of that name.
    """
    if name == "auto":
        try:
            return use("cuda")
        except DeviceError:
            return use("cpu")
    known = re.fullmatch(r"(cpu)|(cuda)(?::(\d+))?", name)
    if not known:
        raise ValueError(f"no device is called {name!r}: use auto, cpu, cuda or cuda:N (N = 0, 1, ...)")
    module = importlib.import_module(f".{known[1] or known[2]}", __name__)
    module.start(int(known[3] or 0))
    globals().update({offer: getattr(module, offer) for offer in OFFERS}, device=name)
    return name


def tune(threads=None):
    """Prepare this process for training on the CPU, and return how many threads will compute.

    Blocks of large operations then go to a pool of `threads` (default: OMP_NUM_THREADS, or the cores there are),
    OpenBLAS computes each product on one thread, and glibc keeps freed memory. Importing tinygan changes nothing in the
    process, so programs that train call this once. Without it the engine computes on the calling thread.
    """
    from .cpu import threads as pool

    return pool.tune(threads)


def fuse(function):
    """An elementwise function of arrays as one pass over memory: a kernel on CUDA, block by block on the CPU's cores.

    Its arguments are arrays of one shape (..., C), and numbers or arrays (C,) or (1,) that are broadcast against them.
    It must be a pure function of elements: arithmetic and functions of backend.xp such as maximum, sign and sqrt.
    The result has the arrays' shape, or is written to `out`, an array or a tuple of arrays, which may be arguments too.
    fuse is a decorator, used where the device is not known yet: the first call on a device compiles for that device.
    """
    made = {}

    @functools.wraps(function)
    def fused(*args, out=None):
        here = globals()["fuse_here"]
        if here not in made:
            made[here] = here(function)
        return made[here](*args, out=out)

    return fused


def load_arrays(live, saved, owner):
    """Copy `saved` (name -> numpy.ndarray) into the arrays of `live` (name -> array), in place.

    Everything is compared first, so that a state that does not fit changes nothing.
    Raises ValueError, naming the owner, for a name that is missing or too many, a shape or a dtype that differs.
    """
    for name in live.keys() ^ saved.keys():
        raise ValueError(f"{owner}: the saved state {'lacks' if name in live else 'has an unknown'} {name!r}")
    for name, array in live.items():
        if saved[name].shape != array.shape or saved[name].dtype != array.dtype:
            raise ValueError(
                f"{owner}: {name!r} is {array.dtype} {array.shape}; {saved[name].dtype} {saved[name].shape} was saved"
            )
    for name, array in live.items():
        array[...] = globals()["to_device"](saved[name])


use("cpu")

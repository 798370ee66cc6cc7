"""Where arrays live: the only package that depends on NumPy or CuPy.

`use(device)` is called once, before anything is built. Other code reads `backend.xp`, the array namespace, and calls
the functions of this file, so one source runs on either device. Here each function is described; `cpu/` and `cuda/`
have a function of the same name, and a test compares their signatures. Arrays are channels last.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np

from . import cpu, distributed

Array: TypeAlias = Any  # a numpy.ndarray, or a cupy.ndarray on CUDA
xp = np  # the array namespace: numpy, or cupy after use("cuda")
device = "cpu"  # the device in use: cpu, cuda or cuda:N
RNG = cpu.RNG  # seeded random numbers: normal(shape), uniform(shape), and a state that can be saved
AsyncCopy = cpu.AsyncCopy  # AsyncCopy(array) starts a copy to the host; ready() says if it is done, get() waits for it
KERNELS = "TINYGAN_KERNELS"  # the environment variable that chooses numpy or numba for the CPU
_cpu: ModuleType = cpu  # what computes on the CPU: cpu (NumPy), or compiled (Numba) after `tune`
_device: ModuleType = cpu


class DeviceError(RuntimeError):
    """The device that was asked for cannot be used; the message says what to install or choose."""


def use(name: str = "auto") -> str:
    """Choose the device for this process: "cpu", "cuda", "cuda:1", or "auto" (CUDA if it works, else the CPU).

    Call it before anything is built: arrays made earlier stay where they are. Returns the name of the device chosen.
    Raises DeviceError if the device cannot be used, ValueError if there is no device of that name. auto raises nothing;
    it logs a warning with the reason where CuPy is installed and a GPU cannot be used.
    """
    global _device, device, xp, RNG, AsyncCopy
    if name == "auto":
        try:
            return use("cuda")
        except DeviceError as error:
            if importlib.util.find_spec("cupy"):
                logging.getLogger("tinygan").warning("the CPU computes: %s", error)
            return use("cpu")
    known = re.fullmatch(r"(cpu)|(cuda)(?::(\d+))?", name)
    if not known:
        raise ValueError(f"no device is called {name!r}: use auto, cpu, cuda or cuda:N (N = 0, 1, ...)")
    chosen = _cpu if known[1] else importlib.import_module(".cuda", __name__)
    chosen.start(int(known[3]) if known[3] else None)
    _device, device, xp, RNG, AsyncCopy = chosen, name, chosen.xp, chosen.RNG, chosen.AsyncCopy
    distributed.connect(name)
    return name


def tune(threads: int | None = None) -> int:
    """Prepare this process for training on the CPU; return the number of threads that compute.

    Large operations are then computed on `threads` cores (default: OMP_NUM_THREADS, or all cores). Numba computes them
    if it is installed (the extra `fast`), else NumPy; the environment variable TINYGAN_KERNELS=numpy or numba overrides
    this choice. OpenBLAS computes each product on one thread, and glibc keeps freed memory. Raises ValueError for
    another TINYGAN_KERNELS, and for numba where it does not run. Importing tinygan changes nothing in the process, so
    programs that train call this once. Without it NumPy computes on the calling thread.
    """
    global _cpu, _device
    count, before = cpu.threads.tune(threads), _cpu
    _cpu = _choose_kernels(count)
    if _device is before:
        _device = _cpu
    return count


def kernels() -> str:
    """Return what computes: "numpy", "numba" (compiled loops on the CPU, see tune), or "cupy"."""
    return "cupy" if device != "cpu" else "numpy" if _device is cpu else "numba"


def _choose_kernels(threads: int) -> ModuleType:
    """Return the module whose functions compute on the CPU, compiled or cpu; see tune."""
    name = os.environ.get(KERNELS, "")
    if name not in ("", "numpy", "numba"):
        raise ValueError(f"{KERNELS} is {name!r}: set it to numpy or numba, or not at all")
    if name == "numpy" or (not name and importlib.util.find_spec("numba") is None):
        return cpu
    try:
        compiled = importlib.import_module(".compiled", __name__)
        compiled.tune(threads)
    except (ImportError, ValueError) as error:  # no Numba, or no OpenMP for it
        if name:
            raise ValueError(f"{KERNELS} asks for Numba, which cannot be used ({error})") from None
        logging.getLogger("tinygan").warning("Numba is installed but cannot be used (%s); NumPy computes", error)
        return cpu
    return compiled


def _after_fork() -> None:
    """A forked child has none of OpenMP's threads, so NumPy computes there."""
    global _cpu, _device
    _cpu, _device = cpu, cpu if _device is _cpu else _device


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def to_host(array: Array) -> np.ndarray:
    """Return the array as a numpy.ndarray; waits for the device."""
    return _device.to_host(array)


def to_device(array: np.ndarray) -> Array:
    """Return a numpy.ndarray as an array of the device."""
    return _device.to_device(array)


def matmul(a: Array, b: Array) -> Array:
    """y = a b        a: (m, k), b: (k, n) -> (m, n)"""
    return _device.matmul(a, b)


def conv2d(x: Array, w: Array, stride: tuple, padding: tuple) -> Array:
    """y = patches(x) w; see autograd/convolution.py for this and the next two."""
    return _device.conv2d(x, w, stride, padding)


def conv_transpose2d(g: Array, w: Array, size: tuple, stride: tuple, padding: tuple) -> Array:
    """x = patches^T(g w^T)"""
    return _device.conv_transpose2d(g, w, size, stride, padding)


def conv2d_weight_grad(x: Array, g: Array, kernel: tuple, stride: tuple, padding: tuple) -> Array:
    """w = patches(x)^T g"""
    return _device.conv2d_weight_grad(x, g, kernel, stride, padding)


def column_sums(
    function: Callable, *args, parts: int = 1, out: Array | None = None, then: functools.partial | None = None
) -> Any:
    """Sum function(*args), elementwise as for `fuse`, over all axes but the last: (..., C) -> (C,); (N,) -> (1,).

    If the function has several results, returns the sums of each, as a list. out: an array that function(*args) is
    written to. then: partial(fused function, *args, out=tuple of arrays); returns then(*sums) in place of the sums.
    parts: each of so many equal parts of the rows has sums of its own, (parts, C). `then` is called for one part after
    the other, with its row of arrays (parts, C).
    """
    return _device.column_sums(function, *args, parts=parts, out=out, then=then)


def add_into(targets: Sequence[Array], parts: Sequence[Sequence[Array]]) -> None:
    """Write the sum of some arrays into each target: targets[i] = parts[i][0] + parts[i][1] + ..."""
    _device.add_into(targets, parts)


def scatter(x: Array, index: Any, shape: tuple) -> Array:
    """Return an array y of zeros, but y[index] = x. index: slices, integers, None and ..."""
    return _device.scatter(x, index, shape)


def squared_norms(x: Array) -> Array:
    """Return the sum of squares of each row: (N, ...) -> (N,)"""
    return _device.squared_norms(x)


def interpolate(a: Array, b: Array, t: Array) -> Array:
    """Return a + t (b - a), for t of a shape that is broadcast to theirs."""
    return _device.interpolate(a, b, t)


def ones(shape: tuple, dtype: Any) -> Array:
    """Return an array of ones that is not to be changed: a captured step fills it only once."""
    return _device.ones(shape, dtype)


def copy_into(targets: Sequence[Array], sources: Sequence[Array]) -> None:
    """Copy each source into its target."""
    add_into(targets, [[source] for source in sources])


def sums(parts: Sequence[Sequence[Array]]) -> list[Array]:
    """Return the sum of the arrays in each of the sequences; the array itself where there is one."""
    results = [arrays[0] if len(arrays) == 1 else xp.empty(arrays[0].shape, arrays[0].dtype) for arrays in parts]
    several = [i for i, arrays in enumerate(parts) if len(arrays) > 1]
    add_into([results[i] for i in several], [parts[i] for i in several])
    return results


def gather(table: Array, order: Array, position: Array, n: int, factor: float, offset: float) -> Array:
    """Return table[order[position : position + n]] * factor - offset, in float32: the next n rows, (n, ...)."""
    return _device.gather(table, order, position, n, factor, offset)


def mean_and_variance(x: Array, parts: int = 1, then: functools.partial | None = None) -> Any:
    """Mean and biased variance over all axes but the last: (..., C) -> (C,), (C,). parts, then: as for column_sums.

    Of several processes, each has a share of the rows; the result is that of all rows.
    """
    if distributed.size == 1:
        return _device.mean_and_variance(x, parts, then)
    return cpu.finish(then, parts, *distributed.whole_moments(*_device.mean_and_variance(x, parts)))


def capture(function: Callable[[], Any]) -> Callable[[], Any]:
    """Turn a training step, a function of no arguments, into one that is fast to repeat.

    On CUDA its kernels are captured in the first calls and then replayed as one graph; on the CPU it is returned as it
    is. All that changes between steps must be arrays changed in place: what Python counts stays as it was captured.
    """
    return _device.capture(function)


def tf32(on: bool) -> None:
    """On CUDA, allow products of float32 to round their factors to 10 bits, for speed. No effect on the CPU."""
    _device.tf32(on)


def fuse(function: Callable) -> Callable:
    """Make an elementwise function of arrays one pass over memory: a kernel on CUDA, blocks in the cache on the CPU.

    Its arguments are arrays of one shape (..., C), and numbers or arrays (C,) or (1,) that are broadcast against them;
    beside arrays (P, n, C) also arrays (P, 1, C).
    It must be a pure function of elements: arithmetic and functions of backend.xp such as maximum, sign and sqrt.
    The result has the arrays' shape, or is written to `out`, an array or a tuple of arrays, which may be arguments too.
    fuse is a decorator, used before the device is chosen: the first call on a device compiles for that device.
    """
    compiled: dict[ModuleType, Callable] = {}

    @functools.wraps(function)
    def fused(*args, out=None):
        if _device not in compiled:
            compiled[_device] = _device.fuse(function)
        return compiled[_device](*args, out=out)

    return fused


def load_arrays(live: Mapping[str, Array], saved: Mapping[str, np.ndarray], owner: str) -> None:
    """Copy `saved` (name -> array) into the arrays of `live`, in place. Nothing is changed if anything does not fit.

    Raises ValueError, naming the owner, for a name that is missing or unknown, and for another shape or dtype.
    """
    for name in live.keys() ^ saved.keys():
        raise ValueError(f"{owner}: the saved state {'lacks' if name in live else 'has an unknown'} {name!r}")
    for name, array in live.items():
        if saved[name].shape != array.shape or saved[name].dtype != array.dtype:
            raise ValueError(
                f"{owner}: {name!r} is {array.dtype} {array.shape}; {saved[name].dtype} {saved[name].shape} was saved"
            )
    for name, array in live.items():
        array[...] = to_device(saved[name])

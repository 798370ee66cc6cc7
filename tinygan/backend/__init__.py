"""The array operations of tinygan: with NumPy or Numba on the CPU, with CuPy on CUDA.

`use(device)` is called once, before anything is built. The code of the engine and of the GAN is the same on every
device: it uses `backend.xp` (NumPy or CuPy) and the functions of this file. Most of these functions call the function
of the same name in the package of the device: `cpu` (NumPy), `compiled` (Numba) or `cuda` (CuPy). They are documented
here. Images are channels last: (N, H, W, C).
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

from . import checks, cpu, distributed

Array: TypeAlias = Any  # a numpy.ndarray, or a cupy.ndarray on CUDA
xp = np  # the array namespace: numpy, or cupy after use("cuda")
device = "cpu"  # the device in use: cpu, cuda or cuda:N
RNG = cpu.RNG  # RNG(seed) draws random numbers: normal(shape), uniform(shape). Its state can be saved
KERNELS = "TINYGAN_KERNELS"  # the environment variable that chooses numpy or numba for the CPU
_cpu: ModuleType = cpu  # the package for the CPU: cpu (NumPy), or compiled (Numba) if `tune` chooses it
_device: ModuleType = cpu  # the package of the device in use: _cpu, or cuda after use("cuda")


class DeviceError(RuntimeError):
    """The chosen device cannot be used. The message says what to install or which device to choose."""


def use(name: str = "auto") -> str:
    """Choose the device for this process: "cpu", "cuda", "cuda:1", or "auto" (CUDA if it works, else the CPU).

    Call `use` before anything is built, because existing arrays are not moved. Returns the name of the device. Raises
    ValueError for an unknown name, and DeviceError if the device cannot be used. "auto" chooses the CPU instead of
    raising DeviceError. If CuPy is installed, the reason is then logged as a warning.
    """
    global _device, device, xp, RNG
    if name == "auto":
        try:
            return use("cuda")
        except DeviceError as error:
            if importlib.util.find_spec("cupy"):
                logging.getLogger("tinygan").warning("using the CPU: %s", error)
            return use("cpu")
    known = re.fullmatch(r"(cpu)|(cuda)(?::(\d+))?", name)
    if not known:
        raise ValueError(f"no device is called {name!r}: use auto, cpu, cuda or cuda:N (N = 0, 1, ...)")
    chosen = _cpu if known[1] else importlib.import_module(".cuda", __name__)
    chosen.start(int(known[3]) if known[3] else None)
    _device, device, xp, RNG = chosen, name, chosen.xp, chosen.RNG
    distributed.connect(name)
    return name


def tune(threads: int | None = None) -> int:
    """Prepare this process for training on the CPU. Returns the number of threads.

    From then on, large operations use `threads` threads (default: OMP_NUM_THREADS, else one for each core). Numba
    computes if it is installed (the extra `fast`), else NumPy. The environment variable TINYGAN_KERNELS overrides this
    choice: numpy or numba. OpenBLAS uses one thread for each product, and glibc does not return freed memory to the
    system.

    Importing tinygan changes no settings of the process. So programs that train call this function once. Without this
    call NumPy computes, and the settings of OpenBLAS and glibc do not change. Raises ValueError if TINYGAN_KERNELS has
    an unknown value, or if it is numba and Numba does not work.
    """
    global _cpu, _device
    count, before = cpu.threads.tune(threads), _cpu
    _cpu = _choose_kernels(count)
    if _device is before:
        _device = _cpu
    return count


def kernels() -> str:
    """Return the name of the library that computes: "numpy", "numba" or "cupy"."""
    return "cupy" if device != "cpu" else "numpy" if _device is cpu else "numba"


def _choose_kernels(threads: int) -> ModuleType:
    """Return the package that computes on the CPU, `compiled` or `cpu`. See tune."""
    name = os.environ.get(KERNELS, "")
    if name not in ("", "numpy", "numba"):
        raise ValueError(f"{KERNELS} is {name!r}: set it to numpy or numba, or remove it")
    if name == "numpy" or (not name and importlib.util.find_spec("numba") is None):
        return cpu
    try:
        compiled = importlib.import_module(".compiled", __name__)
        compiled.tune(threads)
    except (ImportError, ValueError) as error:  # Numba cannot be imported, or finds no OpenMP
        if name:
            raise ValueError(f"{KERNELS} is numba, but Numba cannot be used ({error})") from None
        logging.getLogger("tinygan").warning("Numba is installed but cannot be used (%s); using NumPy", error)
        return cpu
    return compiled


def _after_fork() -> None:
    """Use NumPy instead of Numba in a forked child process. It has no OpenMP threads, which Numba needs."""
    global _cpu, _device
    _cpu, _device = cpu, cpu if _device is _cpu else _device


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def to_host(array: Array) -> np.ndarray:
    """Return an array of the device as a numpy.ndarray. Waits until the device has computed it."""
    return _device.to_host(array)


def to_device(array: np.ndarray) -> Array:
    """Return a numpy.ndarray as an array of the device in use."""
    return _device.to_device(array)


def matmul(a: Array, b: Array) -> Array:
    """y = a b        a: (m, k), b: (k, n) -> (m, n). Products and convolutions refuse mixed dtypes; see checks.py."""
    checks.matmul(a, b)
    return _device.matmul(a, b)


def conv2d(x: Array, w: Array, stride: tuple, padding: tuple) -> Array:
    """y = patches(x) w        autograd/convolution.py explains the three convolution functions."""
    checks.conv2d(x, w)
    return _device.conv2d(x, w, stride, padding)


def conv_transpose2d(r: Array, w: Array, size: tuple, stride: tuple, padding: tuple) -> Array:
    """x = patches^T(r w^T)"""
    checks.conv_transpose2d(r, w, size, stride, padding)
    return _device.conv_transpose2d(r, w, size, stride, padding)


def conv2d_weight_grad(x: Array, r: Array, kernel: tuple, stride: tuple, padding: tuple) -> Array:
    """w = patches(x)^T r"""
    checks.conv2d_weight_grad(x, r, kernel, stride, padding)
    return _device.conv2d_weight_grad(x, r, kernel, stride, padding)


def column_sums(function: Callable, *args) -> Any:
    """Sum function(*args) over all axes but the last: (..., C) -> (C,), and (N,) -> (1,).

    The array function(*args) itself is not stored. function: elementwise, as for `fuse`. If it has several results, a
    list with the sums of each result is returned.
    """
    return _device.column_sums(function, *args)


def copy_into(targets: Sequence[Array], sources: Sequence[Array]) -> None:
    """Copy each source into its target, of the same shape and dtype. On CUDA one kernel makes many copies."""
    checks.copy_into(targets, sources)
    _device.copy_into(targets, sources)


def gather(rows: Array, order: Array, position: Array, n: int, factor: float, offset: float) -> Array:
    """Return rows[order[position : position + n]] * factor - offset, in float32: (N, ...) -> (n, ...)

    position: an array of one integer.
    """
    return _device.gather(rows, order, position, n, factor, offset)


def mean_and_variance(x: Array) -> tuple[Array, Array]:
    """Return mean and biased variance over all axes but the last: (..., C) -> (C,), (C,).

    If several processes train together, x is the local batch of this process, but the mean and the variance are those
    of the whole batch.
    """
    mean, variance = _device.mean_and_variance(x)
    return (mean, variance) if distributed.size == 1 else distributed.whole_moments(mean, variance)


def capture(function: Callable[[], Any]) -> Callable[[], Any]:
    """Return a faster version of a training step, or of another function without arguments that is called many times.

    On CUDA the kernels of one call are captured as a CUDA graph, and later calls replay the graph. A replay does not
    run the Python code of the function. So everything that changes between calls must be in arrays that are updated in
    place. On the CPU the function itself is returned.
    """
    return _device.capture(function)


def tf32(on: bool) -> None:
    """Allow or forbid TensorFloat-32 in matrix products on CUDA. It is faster, and rounds each factor to 10 bits."""
    _device.tf32(on)


def fuse(function: Callable) -> Callable:
    """Compile an elementwise function of arrays, so that it reads and writes memory once. Used as a decorator.

    The function may use arithmetic and elementwise functions of backend.xp, such as maximum, sign and sqrt. Its large
    arguments are arrays of one shape (..., C). The other arguments are broadcast: numbers, and arrays (1,) or (C,). The
    first call on a device compiles the function: to one kernel on CUDA, to one loop with Numba. NumPy computes it in
    blocks that stay in the cache.

    Without `out` a new array is returned. With `out` the result is written to this array, which may be an argument.
    A function can have several results. Then `out` must be a tuple with an array for each:

        @fuse
        def momentum_step(p, g, m, lr):
            m = 0.9 * m + g
            return p - lr * m, m

        momentum_step(p, g, m, lr, out=(p, m))
    """
    compiled: dict[ModuleType, Callable] = {}

    @functools.wraps(function)
    def fused(*args, out=None):
        if _device not in compiled:
            compiled[_device] = _device.fuse(function)
        return compiled[_device](*args, out=out)

    return fused


def load_arrays(live: Mapping[str, Array], saved: Mapping[str, np.ndarray], owner: str) -> None:
    """Copy each array of `saved` into the array of the same name in `live`. Both are {name: array}.

    Raises ValueError, before anything is copied, if names, shapes or dtypes differ. The message begins with `owner`.
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

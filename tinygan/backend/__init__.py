"""Where arrays live: the only place that knows NumPy from CuPy.

`use(device)` is called once, before anything is built. Everything else reads `backend.xp`, `backend.im2col`
and so on at the moment it computes, so one source runs on either device. `cpu.py` and `cuda.py` offer the same
names; `use` puts those of the chosen one here.
"""

import importlib
import re

from .device import DeviceError

OFFERS = (
    "xp",  # the array namespace: numpy or cupy
    "to_host",  # array -> numpy.ndarray
    "to_device",  # numpy.ndarray -> array
    "Generator",  # seeded random numbers; its state can be saved and set
    "column_sums",  # (rows, columns) -> (columns,)
    "im2col",  # image -> patches, and its adjoint
    "col2im",
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


use("cpu")

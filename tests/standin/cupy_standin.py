"""A stand-in for CuPy: it runs the code for CUDA on a machine without a GPU, with pytest --device standin.

This file has kernels, streams and graphs. cupy_names.py has tables of names, and cupy_rules.py has the arrays. Each
kernel has a twin, which is a NumPy version in cupy_twins.py. A launch of a graph repeats the recorded operations on the
same arrays, with the Python numbers of the capture.
"""

import contextlib
import functools
import re
import sys
import types
from typing import NamedTuple

import cupy_rules
import cupy_twins
import numpy as np
from cupy_cublas import Cublas
from cupy_rules import CUDARuntimeError, counts, ndarray, operand, run
from cupy_twins import TWINS, philox

__all__ = ["TWINS", "capturing", "counts", "install", "philox"]


def twin(name):
    if name not in TWINS:
        raise NotImplementedError(f"kernel {name!r} has no NumPy twin: write one and add it to cupy_twins.TWINS")
    return TWINS[name]


class Parameter(NamedTuple):
    """A parameter of a kernel, such as "raw uint64 draws". A type of one letter stands for any type."""

    raw: bool
    type: str
    name: str


def parameters(text):
    words = [part.split() for part in text.split(",") if part.strip()]
    return [Parameter("raw" in w[:-2], *w[-2:]) for w in words]


def typed(parameter, x, letters):
    """Return the NumPy value of x for this parameter. Raises TypeError if x is an array of another type.

    letters: {type of one letter: dtype}; this function adds the letters that it finds.
    """
    value = operand(x)
    if len(parameter.type) == 1:
        wanted = letters.setdefault(parameter.type, value.dtype) if isinstance(x, ndarray) else None
    else:
        wanted = np.dtype(parameter.type)
    if isinstance(x, ndarray) and value.dtype != wanted:
        raise TypeError(f"Type is mismatched. {parameter.name} {value.dtype} {wanted}")
    return value if isinstance(x, ndarray) or wanted is None else wanted.type(value)


class ElementwiseKernel:
    """A kernel whose twin takes (inputs..., outputs...) and writes the outputs."""

    def __init__(self, in_params, out_params, operation, name="kernel", reduce_dims=True, preamble="",
                 no_return=False, return_tuple=False, *, options=(), loop_prep="", after_loop=""):  # fmt: skip
        self.inputs, self.outputs, self.name = parameters(in_params), parameters(out_params), name
        self.no_return, self.return_tuple = no_return, return_tuple

    def __call__(self, *args, size=None, block_size=128):
        given, n = len(args), len(self.inputs)
        if given not in (n, n + len(self.outputs)):
            raise TypeError(f"kernel {self.name!r} takes {n} inputs, with or without outputs; got {given} arguments")
        letters = {}
        values = [typed(p, x, letters) for p, x in zip(self.inputs + self.outputs, args)]
        looped = [np.shape(x) for p, x in zip(self.inputs, values) if not p.raw]
        shape = np.broadcast_shapes(*looped, () if size is None else (size,))
        if given == n:
            if not any(isinstance(x, np.ndarray) for p, x in zip(self.inputs, values) if not p.raw) and size is None:
                raise ValueError("Loop size is undecided.")
            dtypes = [letters[p.type] if len(p.type) == 1 else p.type for p in self.outputs]
            args = (*args, *(ndarray(np.empty(shape, dtype)) for dtype in dtypes))
            values += [x._array for x in args[n:]]
        elif any(np.broadcast_shapes(shape, x.shape) != x.shape for p, x in zip(self.outputs, values[n:]) if not p.raw):
            raise ValueError(f"kernel {self.name!r}: the outputs do not have the shape of the loop, {shape}")
        compute = twin(self.name)
        run(lambda: compute(*values), values[:n], values[n:], self.name)
        results = args[n:]
        return None if self.no_return else results if self.return_tuple or len(results) > 1 else results[0]


class RawKernel:
    """A kernel whose twin takes (grid, block, arguments..., integer constants of the code) and writes the arrays."""

    def __init__(self, code, name, options=(), backend="nvrtc", translate_cucomplex=False, *,
                 enable_cooperative_groups=False, jitify=None):  # fmt: skip
        self.name, self.code = name, code
        self.constants = {key: int(n) for key, n in re.findall(r"^constexpr int (\w+) = (\d+);$", code, re.M)}

    def __call__(self, grid, block, args, *, shared_mem=0):
        for x in args:
            if isinstance(x, ndarray) and not x.flags.c_contiguous:
                raise ValueError(f"kernel {self.name!r} would read a strided view as a contiguous array")
            if type(x) is float:
                raise TypeError(f"kernel {self.name!r} would get a Python float as a double: pass numpy.float32(x)")
        if 8 * len(args) > 4096:
            raise CUDARuntimeError(f"cudaErrorInvalidValue: kernel {self.name!r} has over 4096 bytes of parameters")
        values, compute = [operand(x) for x in args], twin(self.name)
        if self.name in cupy_twins.INTERPRETED:
            compute = functools.partial(compute, self.code)
        arrays = [x for x in values if isinstance(x, np.ndarray)]
        run(lambda: compute(grid, block, *values, **self.constants), (), arrays, self.name)


class FusedNumber(float):
    """A Python number given to a fused function. Arithmetic with arrays is legal. With other numbers it is an error."""


def between_numbers(self, other):
    if isinstance(other, ndarray):
        return NotImplemented
    raise TypeError("a fused function combines two Python numbers. CuPy does this in float16: pass the result instead")


for symbol in ("add", "sub", "mul", "truediv", "pow"):
    setattr(FusedNumber, f"__{symbol}__", between_numbers)
    setattr(FusedNumber, f"__r{symbol}__", between_numbers)


def fuse(*args, **kwargs):
    """Return a function that computes operation by operation, and refuses what CuPy does not fuse, or fuses wrongly."""

    def wrap(function, kernel_name=None):
        if not (kernel_name or function.__name__).isidentifier():
            raise ValueError(f"{kernel_name or function.__name__!r} cannot be a kernel's name: give kernel_name=")

        def fused(*inputs):
            cupy_rules.fusing = True
            try:
                return function(*(FusedNumber(x) if type(x) in (int, float) else x for x in inputs))
            finally:
                cupy_rules.fusing = False

        return fused

    # as in CuPy, fuse(function) returns the fused function, and fuse(kernel_name=...) returns a decorator
    return wrap(*args) if args and not kwargs else lambda function: wrap(function, *args, **kwargs)


class Stream:
    """A stream without a queue: all work is done immediately. A stream can be the current one, and capture a graph."""

    _current = null = None

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        self.ptr, self._before = id(self) if not null else 0, []

    def __enter__(self):
        self._before.append(Stream._current)
        return self.use()

    def __exit__(self, *_):
        Stream._current = self._before.pop()

    def use(self):
        Stream._current = self
        return self

    def synchronize(self):
        cupy_rules.refuse_in_capture("waits", "synchronize")

    def record(self, event=None):
        return event or Event()

    def wait_event(self, event):
        if self.is_capturing():
            raise CUDARuntimeError("cudaErrorStreamCaptureIsolation: waiting for an event outside of the graph")

    def begin_capture(self, mode=None):
        if self is Stream.null or Stream._current is not self:
            raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported: capture on a new stream that is the current one")
        cupy_rules.begin_capture()

    def end_capture(self):
        return Graph(cupy_rules.end_capture())

    def is_capturing(self):
        return cupy_rules.tape is not None


Stream._current = Stream.null = Stream(null=True)


class Event:
    def __init__(self, block=False, disable_timing=False, interprocess=False):
        pass

    done = property(lambda self: True)

    def synchronize(self):
        cupy_rules.refuse_in_capture("waits", "synchronize")


class Graph:
    def __init__(self, tape):
        self._tape = tape

    def upload(self, stream=None):
        pass

    def launch(self, stream=None):
        for operation in self._tape.operations:
            operation()


class Device:
    compute_capability = "90"

    def __init__(self, device=None):
        self.id = device or 0

    def use(self):
        pass

    def synchronize(self):
        cupy_rules.refuse_in_capture("waits", "synchronize")


class MemoryPool:
    def __init__(self, allocator=None):
        pass

    def malloc(self, size):
        pass

    def total_bytes(self):
        return 0

    def free_all_blocks(self, stream=None):
        pass


def using_allocator(allocator=None):
    return contextlib.nullcontext()


@contextlib.contextmanager
def capturing():
    """Capture a graph within a with block, and discard it."""
    with Stream(non_blocking=True) as stream:
        stream.begin_capture()
        try:
            yield
        finally:
            stream.end_capture()


def cuda():
    """Return the stand-in for the module cupy.cuda."""
    modes = dict(streamCaptureModeGlobal=0, streamCaptureModeThreadLocal=1, streamCaptureModeRelaxed=2)
    runtime = types.SimpleNamespace(
        getDeviceCount=lambda: 1, memGetInfo=lambda: (1 << 36, 1 << 36), CUDARuntimeError=CUDARuntimeError, **modes
    )
    return types.SimpleNamespace(
        Device=Device, Event=Event, Graph=Graph, MemoryPool=MemoryPool, Stream=Stream, runtime=runtime,
        get_current_stream=lambda device_id=-1: Stream._current, using_allocator=using_allocator,
    )  # fmt: skip


def module():
    """Return the stand-in for the module cupy."""
    cupy = types.ModuleType("cupy")
    kernels = dict(ElementwiseKernel=ElementwiseKernel, RawKernel=RawKernel, fuse=fuse)

    def unknown(name):
        raise AttributeError(f"the stand-in has no cupy.{name}; see cupy_names.py")

    pool = dict(get_default_memory_pool=MemoryPool)
    vars(cupy).update(cupy_rules.namespace(), cuda=cuda(), __getattr__=unknown, **kernels, **pool)
    return cupy


def install():
    """Make `import cupy` return the stand-in, and make products use the stand-in's cuBLAS."""
    sys.modules["cupy"] = module()
    from tinygan.backend.cuda import blas

    blas.library = Cublas

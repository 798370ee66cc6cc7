"""The arrays of the stand-in: NumPy with the rules of CuPy 14. In a capture, operations are recorded or refused."""

import functools
import operator
import types
from collections import Counter
from typing import NamedTuple

import cupy_names
import numpy as np
from cupy_names import SCALARS, CUDARuntimeError

counts = Counter()  # of "waits" and "transfers"; a training step should have none
tape = None  # a Tape while a graph is captured
fusing = False  # True within a fused function


class Tape(NamedTuple):
    """The record of a capture."""

    operations: list  # functions that a launch of the graph calls
    overwritten: list  # pairs (array, its values before the capture)
    kept: list  # arrays whose addresses were used, so they must not be freed


def begin_capture():
    global tape
    if tape is not None:
        raise CUDARuntimeError("cudaErrorIllegalState: a graph is being captured already")
    tape = Tape([], [], [])


def end_capture():
    """Return the tape. Restore the arrays that the capture overwrote, because CUDA computes nothing in a capture."""
    global tape
    if tape is None:
        raise CUDARuntimeError("cudaErrorIllegalState: no graph is being captured")
    done, tape = tape, None
    for array, before in reversed(done.overwritten):
        array[...] = before
    return done


def refuse_in_capture(kind, what):
    counts[kind] += 1
    if tape is not None:
        raise CUDARuntimeError(f"cudaErrorStreamCaptureUnsupported: {what} ({kind}) while a graph is captured")


def refuse_in_fusion(what):
    if fusing:
        raise TypeError(f"{what} in a fused function: CuPy makes one kernel of operators and ufuncs only")


def run(compute, inputs=(), written=(), name=""):
    """Call compute(). It returns a result, which may be a view of `inputs`, or it writes into the arrays `written`.
    During a capture, also record the call, which each launch of the graph repeats. name: the kernel's, or ""."""
    if tape is not None:
        tape.overwritten.extend((array, array.copy()) for array in written if array.flags.writeable)
    result = compute()
    if isinstance(result, tuple):
        return tuple(ndarray(part) for part in result)
    result = np.asarray(result)  # NumPy makes scalars of 0-d results; on a device they stay arrays
    if tape is not None and written:
        tape.operations.append(compute)
    elif tape is not None and not any(np.may_share_memory(result, array) for array in inputs):  # not a view
        tape.operations.append(lambda: np.copyto(result, compute()))
    return ndarray(result)


def operand(x):
    """Return the NumPy value of an operand: an array of the stand-in, or a scalar."""
    if isinstance(x, ndarray):
        return x._array
    if isinstance(x, SCALARS):  # NumPy would treat a subclass of float as float64
        return float(x) if isinstance(x, float) and not isinstance(x, np.generic) else x
    raise TypeError(f"Unsupported type {type(x)}")


def argument(x):
    """Return the NumPy value of an argument: an operand, shape, axis, dtype, name, or sequence of arguments."""
    if isinstance(x, (list, tuple)):
        return type(x)(argument(part) for part in x)
    return x if x is None or isinstance(x, (str, type, np.dtype)) else operand(x)


def elementwise(name, *args, out=None, dtype=None, casting="same_kind"):
    """Compute a ufunc. The keywords are CuPy's."""
    function = getattr(np, name)
    args, out = (args[: function.nin], args[function.nin]) if len(args) > function.nin else (args, out)
    if not (out is None or isinstance(out, ndarray)):
        raise TypeError(f"output arguments must be cupy.ndarray, not {type(out)}")
    values, target = [operand(x) for x in args], None if out is None else out._array
    compute = functools.partial(function, *values, out=target, dtype=dtype, casting=casting)
    result = run(compute, (), () if out is None else (target,))
    return result if out is None else out


def call(name, function, takes, args, kwargs):
    """Call a function or method that is not a ufunc. `function` is NumPy's, `takes` is CuPy's signature."""
    if name not in ("astype", "where"):
        refuse_in_fusion(name)
    takes.bind(*args, **kwargs)  # TypeError for arguments that CuPy does not take
    if name in cupy_names.CUBLAS and tape is not None:
        raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")
    if name in cupy_names.WAITS or (name == "where" and len(args) == 1):
        refuse_in_capture("waits", f"cupy.{name}")
    if name in ("array", "asarray") and not isinstance(args[0], ndarray):
        return from_host(*args, **kwargs)
    if name == "take" and len(args) > 1 and not (isinstance(args[1], ndarray) or np.isscalar(args[1])):
        args = (args[0], from_host(args[1]), *args[2:])
    if name in ("concatenate", "stack"):
        pointer_table(args[0])
    values, options = argument(tuple(args)), {key: argument(x) for key, x in kwargs.items() if key != "blocking"}
    out = options.get("out")
    inputs = [x for x in (*values, *options.values()) if isinstance(x, np.ndarray)]
    if name in ("empty", "empty_like"):  # a launch has nothing to repeat
        return ndarray(function(*values, **options))
    result = run(functools.partial(function, *values, **options), inputs, () if out is None else (out,))
    if name in ("concatenate", "stack") and tape is not None:  # CuPy copies each array with a kernel of its own
        tape.operations.extend([lambda: None] * (len(args[0]) - 1))
    return result if out is None else kwargs["out"]


def from_host(x, dtype=None, *_, **__):
    refuse_in_capture("transfers", "an array from the host")
    array = np.array(x, dtype)  # always a copy, because the device has its own memory
    if array.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {array.dtype}")
    return ndarray(array)


def pointer_table(arrays):
    """Refuse to join over 8 small arrays of one dtype in a capture. CuPy would send a table of addresses to the GPU."""
    if len(arrays) > 8 and len({a.dtype for a in arrays}) == 1 and sum(a.nbytes for a in arrays) < len(arrays) << 21:
        refuse_in_capture("transfers", f"joining {len(arrays)} small arrays")


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def array_index(index):
    """Return an index as NumPy takes it, and whether it contains arrays."""
    refuse_in_fusion("an index")
    parts = []
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, (list, np.ndarray, bool, np.bool_)):
            part = from_host(part)
        if isinstance(part, ndarray):
            if part.dtype == bool:
                refuse_in_capture("waits", "a mask as an index")
            part = part._array
        parts.append(part)
    return tuple(parts), any(isinstance(part, np.ndarray) for part in parts)


class ndarray:
    """The stand-in for cupy.ndarray. The function `complete` adds operators and attributes."""

    __array_priority__ = 100
    __slots__ = ("__weakref__", "_array")

    def __init__(self, array):
        self._array = np.asarray(array)

    def __getattr__(self, name):
        if name not in cupy_names.METHODS:  # the methods that this class does not define
            raise AttributeError(f"the stand-in has no cupy.ndarray.{name}; see cupy_names.py")
        takes = cupy_names.signature(cupy_names.METHODS[name])
        return lambda *args, **kwargs: call(name, getattr(np.ndarray, name), takes, (self, *args), kwargs)

    def __array__(self, *_, **__):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`")

    def __array_ufunc__(self, ufunc, method, *inputs, out=(None,), **kwargs):
        known = all(isinstance(x, (ndarray, np.ndarray, *SCALARS)) for x in inputs)
        if method != "__call__" or ufunc.__name__ not in cupy_names.UFUNCS or not known:
            return NotImplemented
        return elementwise(ufunc.__name__, *inputs, out=out[0], **kwargs)

    def __array_function__(self, function, kinds, args, kwargs):
        if function.__module__ != "numpy" or function.__name__ not in cupy_names.FUNCTIONS:
            return NotImplemented
        return namespace()[function.__name__](*args, **kwargs)

    T = property(lambda self: ndarray(self._array.T))
    data = property(lambda self: types.SimpleNamespace(ptr=address(self._array)))

    def __len__(self):
        return len(self._array)

    def __iter__(self):
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        index, advanced = array_index(index)
        array = self._array
        return run(lambda: array[index].copy() if advanced else array[index], [array])

    def __setitem__(self, index, value):
        index, advanced = ((...,), False) if index is ... else array_index(index)
        if advanced and not isinstance(value, ndarray):
            value = from_host(value, self.dtype)
        elif isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        value = value.item() if isinstance(value, np.ndarray) else operand(value)
        run(functools.partial(operator.setitem, self._array, index, value), (), [self._array])

    def fill(self, value):
        self[...] = value

    def set(self, arr, stream=None):
        if not isinstance(arr, np.ndarray) or (arr.dtype, arr.shape) != (self.dtype, self.shape):
            raise TypeError(f"set takes a numpy.ndarray of {self.dtype} {self.shape}")
        self[...] = from_host(arr)

    def get(self, stream=None, order="C", out=None, blocking=True):
        refuse_in_capture("waits" if blocking else "transfers", "reading the values of an array")
        out = np.empty_like(self._array) if out is None else out
        np.copyto(out, self._array)
        return out

    item, tolist = (lambda self: self.get().item()), (lambda self: self.get().tolist())
    __float__ = lambda self: float(self.get())
    __int__ = lambda self: int(self.get())
    __bool__ = lambda self: bool(self.get())
    __repr__, __format__ = (lambda self: repr(self.get())), (lambda self, spec: format(self.get(), spec))


def address(array):
    if tape is not None:
        tape.kept.append(array)
    return array.ctypes.data


def defers(other):
    """Return whether `other` computes the operator itself. A Tensor does: its __array_ufunc__ is None."""
    return not isinstance(other, ndarray) and getattr(other, "__array_ufunc__", other) is None


def operators(symbol, compute):
    """Make the methods for a + b, b + a and a += b from one function."""

    def forward(self, other):
        return NotImplemented if defers(other) else compute(self, other)

    def reflected(self, other):
        return NotImplemented if defers(other) else compute(other, self)

    def in_place(self, other):
        return compute(self, other, out=self)

    return {f"__{symbol}__": forward, f"__r{symbol}__": reflected, f"__i{symbol}__": in_place}


def matmul(a, b, out=None):
    return call("matmul", np.matmul, cupy_names.signature("a, b, out=None"), (a, b), {"out": out})


def complete():
    """Add the operators and attributes of cupy_names to ndarray."""
    special = operators("matmul", matmul)
    del special["__imatmul__"]  # CuPy has none: a @= b makes a new array
    for symbol, name in cupy_names.BINARY.items():
        special |= operators(symbol, functools.partial(elementwise, name))
    for symbol, name in cupy_names.COMPARISONS.items():
        special[f"__{symbol}__"] = operators(symbol, functools.partial(elementwise, name))[f"__{symbol}__"]
    for symbol, name in cupy_names.UNARY.items():
        special[f"__{symbol}__"] = lambda self, name=name: elementwise(name, self)
    for name in cupy_names.ATTRIBUTES:
        special[name] = property(lambda self, name=name: getattr(self._array, name))
    for name, value in special.items():
        setattr(ndarray, name, value)
    ndarray.__hash__, ndarray.__module__ = None, "cupy"


@functools.cache
def namespace():
    """Return {name: object} of the module cupy, without kernels and the module cuda."""

    def function(name, compute, text):
        return lambda *args, **kwargs: call(name, compute, cupy_names.signature(text), args, kwargs)

    as_strided = function("as_strided", np.lib.stride_tricks.as_strided, cupy_names.AS_STRIDED)
    return {
        **{name: getattr(np, name) for name in cupy_names.TYPES},
        **{name: functools.partial(elementwise, name) for name in cupy_names.UFUNCS},
        **{name: function(name, getattr(np, name, None), text) for name, text in cupy_names.FUNCTIONS.items()},
        "asnumpy": asnumpy,
        "lib": types.SimpleNamespace(stride_tricks=types.SimpleNamespace(as_strided=as_strided)),
        "matmul": matmul,
        "ndarray": ndarray,
    }


complete()

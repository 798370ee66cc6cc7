"""What a tensor remembers, and what an operation must know to be differentiated.

A Primitive computes y = f(x1, x2, ...) on arrays. For each x it also knows the vector-Jacobian product
    dL/dx = vjp(dL/dy, y, x1, x2, ...)
written in Tensor operations, so that a derivative can be differentiated in its turn. A Tensor made by a primitive
remembers which one and from what; `grad` (backward.py) walks that memory backwards.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from .. import backend

PRIMITIVES = {}  # name -> Primitive: every operation there is; the tests walk it
_recording = ContextVar("recording", default=True)


def is_recording():
    """Whether operations are being remembered (see no_grad)."""
    return _recording.get()


@contextmanager
def record(on):
    """Within the block, operations are remembered, or not."""
    before = _recording.set(on)
    try:
        yield
    finally:
        _recording.reset(before)


def no_grad():
    """with no_grad(): operations are not remembered: nothing to differentiate, and no memory held for it."""
    return record(False)


class Node(NamedTuple):
    """How a tensor was made."""

    primitive: "Primitive"
    args: tuple  # Tensors, arrays and Python scalars, as they were passed
    kwargs: dict
    versions: tuple  # of each argument at that moment, to notice a later change in place


class Tensor:
    """An array, and how it was made.

    data: an array of the device in use; Python numbers and lists become float32.
    requires_grad: whether operations on it are remembered. version: raised by whoever changes `data` in place.
    Raises TypeError for an array of another kind (a NumPy array while the device is CUDA).
    """

    __slots__ = ("__weakref__", "data", "grad", "node", "requires_grad", "version")
    __array_ufunc__ = None  # array * tensor is left to Tensor.__rmul__

    def __init__(self, data, requires_grad=False):
        xp = backend.xp
        if isinstance(data, xp.generic):  # what NumPy's sums return; asked first, for numpy.float64 is a float too
            data = xp.asarray(data)
        elif isinstance(data, (int, float, list, tuple)):
            data = xp.asarray(data, dtype="float32")
        elif not isinstance(data, xp.ndarray):
            kind = f"{type(data).__module__}.{type(data).__name__}"
            raise TypeError(
                f"a Tensor on device {backend.device} holds a {xp.__name__}.ndarray; got {kind}. "
                "backend.to_device moves a NumPy array there"
            )
        self.data = data
        self.requires_grad = requires_grad
        self.grad = None
        self.version = 0
        self.node = None

    shape = property(lambda self: self.data.shape)
    ndim = property(lambda self: self.data.ndim)
    size = property(lambda self: self.data.size)
    dtype = property(lambda self: self.data.dtype)

    def detach(self):
        """The same array without its history: to whatever comes later it is a constant."""
        return Tensor(self.data)

    def numpy(self):
        """The values as a numpy.ndarray on the host."""
        return backend.to_host(self.data)

    def item(self):
        """The value of a tensor of one element, as a Python number."""
        return self.data.item()

    def __len__(self):
        return len(self.data)

    def __repr__(self):
        made_by = f", made by {self.node.primitive.__name__}" if self.node and self.node.primitive else ""
        return f"Tensor({self.data}, dtype={self.dtype}{made_by})"


class Primitive:
    """An operation with its derivative; `primitive` makes one of a function on arrays.

    Called with Tensors (constants may be arrays or Python scalars; options go by keyword), returns a Tensor.
    """

    def __init__(self, forward):
        self.forward, self.vjps, self.joint_vjp = forward, (), None
        self.__name__, self.__doc__ = forward.__name__, forward.__doc__
        PRIMITIVES[self.__name__] = self

    def __call__(self, *args, **kwargs):
        y = Tensor(self.forward(*(a.data if isinstance(a, Tensor) else a for a in args), **kwargs))
        if _recording.get() and any(isinstance(a, Tensor) and a.requires_grad for a in args):
            y.requires_grad = True
            y.node = Node(self, args, kwargs, versions(args))
        return y

    def defvjp(self, *vjps):
        """One function for each argument: vjp(g, y, *args, **kwargs) -> dL/d(that argument)."""
        self.vjps = vjps

    def def_joint_vjp(self, joint_vjp):
        """One function for all: joint_vjp(g, wanted, y, *args, **kwargs) -> a gradient for each argument.

        For gradients that share work. wanted: a bool for each argument; what is not wanted may be None.
        """
        self.joint_vjp = joint_vjp

    def gradients(self, g, wanted, y, origin):
        """dL/d(argument) for each wanted one, else None. y: the tensor made, origin: how (it may have lost its own)."""
        if self.joint_vjp:
            return self.joint_vjp(g, wanted, y, *origin.args, **origin.kwargs)
        return [self.vjps[i](g, y, *origin.args, **origin.kwargs) if want else None for i, want in enumerate(wanted)]


primitive = Primitive


def versions(args):
    return tuple(a.version for a in args if isinstance(a, Tensor))

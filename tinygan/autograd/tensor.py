"""Tensors, and what an operation must know to be differentiated.

A Primitive computes y = f(x1, x2, ...) on arrays. For each argument it also has the vector-Jacobian product

    dL/dx = vjp(dL/dy, y, x1, x2, ...)

written in Tensor operations, so that a derivative can be differentiated too. A Tensor made by a primitive has a Node:
the primitive and its arguments. `grad` (backward.py) follows the nodes from an output back to the inputs. A node does
not refer to the tensor it made, so there are no reference cycles, and memory is freed as soon as it is unused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from .. import backend
from ..backend import Array

PRIMITIVES: dict[str, Primitive] = {}  # every operation by name; the tests check each one
_recording = ContextVar("recording", default=True)
is_recording = _recording.get  # is_recording(): whether operations make nodes; see no_grad


@contextmanager
def record(on: bool) -> Iterator[None]:
    """Within the block, operations make nodes (on=True) or not."""
    before = _recording.set(on)
    try:
        yield
    finally:
        _recording.reset(before)


def no_grad():
    """with no_grad(): operations make no nodes, so nothing can be differentiated and no memory is held for it."""
    return record(False)


class Node(NamedTuple):
    """How a tensor was made: the primitive, its arguments (tensors, arrays, Python numbers) and its options."""

    primitive: Primitive
    args: tuple
    kwargs: dict
    versions: tuple  # the version of each tensor argument when it was used

    def check_versions(self, y: Tensor) -> None:
        """Raise RuntimeError if an argument was updated in place after this use, or the result y since it was made."""
        if y.version or self.versions != versions(self.args):
            raise RuntimeError(
                f"an argument or the result of {self.primitive.__name__} was updated in place after it was used: "
                "compute the output again, then take its gradient"
            )

    def gradients(self, g: Tensor, y: Tensor, on_path: set[int]) -> list[tuple[Tensor, Any]]:
        """Return (argument, its part of dL/d argument) for each argument whose id is in `on_path`. g: dL/dy."""
        needs_grad = [id(x) in on_path for x in self.args]
        parts = self.primitive.gradients(g, needs_grad, y, *self.args, **self.kwargs)
        return [(x, dx) for x, dx, needed in zip(self.args, parts, needs_grad) if needed]


class Tensor:
    """An array, and how it was made.

    data: an array of the device in use; Python numbers and lists become float32. requires_grad: whether operations on
    the tensor make nodes. version: a counter that code raises after it changes `data` in place; a graph made before
    the change is then refused. Raises TypeError for an array of another kind (a NumPy array while the device is CUDA).
    """

    __slots__ = ("__weakref__", "data", "node", "requires_grad", "version")
    __array_ufunc__ = None  # array * tensor then calls Tensor.__rmul__

    def __init__(self, data: Array | float | list | tuple, requires_grad: bool = False) -> None:
        xp = backend.xp
        if isinstance(data, (int, float, list, tuple, xp.generic)):  # xp.generic: a NumPy scalar, such as a sum
            data = xp.asarray(data, dtype=None if isinstance(data, xp.generic) else "float32")
        elif not isinstance(data, xp.ndarray):
            kind = f"{type(data).__module__}.{type(data).__name__}"
            raise TypeError(
                f"a Tensor on device {backend.device} holds a {xp.__name__}.ndarray; got {kind}. "
                "backend.to_device moves a NumPy array there"
            )
        self.data: Array = data
        self.requires_grad = requires_grad
        self.version = 0
        self.node: Node | None = None

    # fmt: off
    @property
    def shape(self) -> tuple[int, ...]: return self.data.shape
    @property
    def ndim(self) -> int: return self.data.ndim
    @property
    def size(self) -> int: return self.data.size
    @property
    def dtype(self) -> Any: return self.data.dtype
    @property
    def T(self) -> Tensor: return self.transpose()
    # fmt: on

    def detach(self) -> Tensor:
        """Return the same array without its node: a constant to all later operations."""
        return Tensor(self.data)

    def numpy(self):
        """Return the values as a numpy.ndarray on the host."""
        return backend.to_host(self.data)

    def item(self) -> float:
        """Return the value of a tensor of one element as a Python number."""
        return self.data.item()

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        made_by = f", made by {self.node.primitive.__name__}" if self.node and self.node.primitive else ""
        return f"Tensor({self.data}, dtype={self.dtype}{made_by})"

    # fmt: off
    def __add__(self, other) -> Tensor: return arithmetic.add(self, other)
    def __radd__(self, other) -> Tensor: return arithmetic.add(self, other)
    def __sub__(self, other) -> Tensor: return arithmetic.subtract(self, other)
    def __rsub__(self, other) -> Tensor: return arithmetic.subtract(other, self)
    def __mul__(self, other) -> Tensor: return arithmetic.multiply(self, other)
    def __rmul__(self, other) -> Tensor: return arithmetic.multiply(self, other)
    def __truediv__(self, other) -> Tensor: return arithmetic.divide(self, other)
    def __rtruediv__(self, other) -> Tensor: return arithmetic.divide(other, self)
    def __matmul__(self, other) -> Tensor: return arithmetic.matmul(self, other)
    def __rmatmul__(self, other) -> Tensor: return arithmetic.matmul(other, self)
    def __pow__(self, exponent: float) -> Tensor: return arithmetic.power(self, exponent=exponent)
    def __neg__(self) -> Tensor: return arithmetic.negative(self)
    # fmt: on

    def __getitem__(self, index) -> Tensor:
        """x[index] for slices, Python integers, None and ...; raises TypeError for kinds that may repeat an element."""
        parts = index if isinstance(index, tuple) else (index,)
        if not all(isinstance(i, (slice, int, type(None), type(...))) for i in parts):
            raise TypeError(f"a Tensor is indexed with slices, Python integers, None and ...; got {index!r}")
        return shapes.getitem(self, index=index)

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Sum over `axis`: None for all, an int, or a tuple of ints."""
        return shapes.sum_axes(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Mean over `axis`: None for all, an int, or a tuple of ints."""
        if axis is None and not keepdims:
            return arithmetic.mean(self)
        total = self.sum(axis, keepdims)
        return total / (self.size / total.size)

    def reshape(self, *shape) -> Tensor:
        """x.reshape(2, 3), x.reshape((2, 3)) or x.reshape(2, -1)."""
        return shapes.reshape(self, shape=shape[0] if isinstance(shape[0], tuple) else shape)

    def transpose(self, *axes: int) -> Tensor:
        """Return the axes in the given order; without arguments, reversed."""
        return shapes.transpose(self, axes=tuple(a % self.ndim for a in axes) or tuple(reversed(range(self.ndim))))


class Primitive:
    """An operation with its derivative; used as the decorator `primitive` on a function of arrays.

    It is called with Tensors (constants may be arrays or Python numbers; options go by keyword) and returns a Tensor.
    """

    def __init__(self, forward: Callable[..., Array]) -> None:
        self.forward = forward
        self.vjps: tuple[Callable, ...] = ()
        self.joint_vjp: Callable | None = None
        self.fused_vjp: Callable | None = None
        self.__name__, self.__doc__ = forward.__name__, forward.__doc__
        PRIMITIVES[self.__name__] = self

    def __call__(self, *args, **kwargs) -> Tensor:
        y = Tensor(self.forward(*arrays(args), **kwargs))
        if is_recording() and any(isinstance(x, Tensor) and x.requires_grad for x in args):
            y.requires_grad = True
            y.node = Node(self, args, kwargs, versions(args))
        return y

    def defvjp(self, *vjps: Callable[..., Tensor]) -> None:
        """Define one function for each argument: vjp(g, y, *args, **kwargs) -> dL/d argument, with g = dL/dy."""
        self.vjps = vjps

    def def_joint_vjp(self, joint_vjp: Callable[..., Any]) -> None:
        """Define one function for all arguments, for gradients that share work.

        joint_vjp(g, needs_grad, y, *args, **kwargs) -> a gradient for each argument. needs_grad: a bool for each; where
        it is False the gradient may be None.
        """
        self.joint_vjp = joint_vjp

    def def_fused_vjp(self, fused_vjp: Callable[..., Any]) -> None:
        """Define faster gradients, on arrays, for use where no further derivative is taken (see backend/formulas.py).

        Called like a joint vjp, with arrays. It returns arrays, or NotImplemented for arguments it does not handle.
        """
        self.fused_vjp = fused_vjp

    def gradients(self, g: Tensor, needs_grad: list[bool], y: Tensor, *args, **kwargs) -> Iterable[Tensor | None]:
        """Return dL/d argument for each argument, or None where it is not needed."""
        if self.fused_vjp and not is_recording():
            parts = self.fused_vjp(g.data, needs_grad, y.data, *arrays(args), **kwargs)
            if parts is not NotImplemented:
                return (None if dx is None else Tensor(dx) for dx in parts)
        if self.joint_vjp:
            return self.joint_vjp(g, needs_grad, y, *args, **kwargs)
        if any(needs_grad[len(self.vjps) :]):
            raise TypeError(f"{self.__name__} has {len(self.vjps)} vjps, and a gradient of another argument is needed")
        return (vjp(g, y, *args, **kwargs) if needed else None for vjp, needed in zip(self.vjps, needs_grad))


primitive = Primitive


def arrays(args: tuple) -> list:
    return [x.data if isinstance(x, Tensor) else x for x in args]


def versions(args: tuple) -> tuple[int, ...]:
    return tuple(x.version for x in args if isinstance(x, Tensor))


from . import arithmetic, shapes  # noqa: E402  (these need Tensor, and its methods need them)

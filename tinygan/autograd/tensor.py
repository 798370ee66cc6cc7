"""Tensors, and the primitives that operate on them.

A Primitive computes y = f(x1, x2, ...) on arrays. Its vector-Jacobian products (vjp) turn dL/dy into gradients:

    dL/dx = vjp(dL/dy, y, x1, x2, ...)        for each argument x, with its own vjp        L: the loss

The vjp is written in Tensor operations, so a gradient can be differentiated too. An operation that is a formula of
other operations needs no vjp; composed.py makes some of these faster. The Node of a Tensor says which primitive made
it. `grad` (backward.py) follows the nodes from an output back to the inputs. A Node does not refer to
its Tensor. So there are no reference cycles, and unused memory is freed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from .. import backend
from ..backend import Array

PRIMITIVES: dict[str, Primitive] = {}  # primitives and composed operations by name
_recording = ContextVar("recording", default=True)
is_recording = _recording.get  # is_recording(): whether operations make nodes; see no_grad


@contextmanager
def record(on: bool) -> Iterator[None]:
    """with record(on): operations make nodes if `on` is True, and none if it is False."""
    before = _recording.set(on)
    try:
        yield
    finally:
        _recording.reset(before)


def no_grad():
    """with no_grad(): operations make no nodes. Results cannot be differentiated, and memory is freed earlier."""
    return record(False)


class Node(NamedTuple):
    """The origin of a tensor: a primitive, its arguments (tensors, arrays, Python numbers) and its options."""

    primitive: Primitive
    args: tuple
    kwargs: dict
    versions: tuple  # the version of each tensor argument when the primitive was called

    def check_versions(self, y: Tensor) -> None:
        """Raise RuntimeError if an argument or the result y was updated in place after the call of the primitive."""
        if y.version or self.versions != versions(self.args):
            raise RuntimeError(
                f"an argument or the result of {self.primitive.__name__} was updated in place after the call: "
                "compute the output again, then its gradient"
            )

    def gradients(self, g: Tensor, y: Tensor, on_path: set[int]) -> list[tuple[Tensor, Any]]:
        """Return pairs (argument, term of dL/d argument) for the arguments whose id is in `on_path`. g: dL/dy."""
        needed = [id(x) in on_path for x in self.args]
        gradients = self.primitive.vjp(g, needed, y, *self.args, **self.kwargs)
        return [(x, dx) for x, dx, one in zip(self.args, gradients, needed) if one]


class Tensor:
    """An array that can be differentiated: `node` says how it was computed, and is None for an input.

    data: an array of the device in use; Python numbers and lists become float32. requires_grad: whether operations on
    the tensor make nodes. version: the number of changes of `data` in place. Code that changes `data` must add 1 to
    version, so that grad refuses older graphs. Raises TypeError for other arrays, such as a NumPy array on CUDA.
    """

    __slots__ = ("data", "node", "requires_grad", "version")
    __array_ufunc__ = None  # array * tensor then calls Tensor.__rmul__

    def __init__(self, data: Array | float | list | tuple, requires_grad: bool = False) -> None:
        xp = backend.xp
        if isinstance(data, (int, float, list, tuple, xp.generic)):  # xp.generic: a NumPy scalar, such as a sum
            data = xp.asarray(data, dtype=None if isinstance(data, xp.generic) else "float32")
        elif not isinstance(data, xp.ndarray):
            kind = f"{type(data).__module__}.{type(data).__name__}"
            raise TypeError(
                f"a Tensor on device {backend.device} needs a {xp.__name__}.ndarray; got {kind}. "
                "backend.to_device(array) moves a NumPy array to the device"
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
        """Return a Tensor of the same array without a node. Gradients treat it as a constant."""
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
    def __pow__(self, exponent: float) -> Tensor: return arithmetic.power(self, exponent=arrays((exponent,))[0])
    def __neg__(self) -> Tensor: return arithmetic.negative(self)
    # fmt: on

    def __getitem__(self, index) -> Tensor:
        """x[index] for slices, ints, None, Ellipsis. Raises TypeError for arrays, which may contain an index twice."""
        parts = index if isinstance(index, tuple) else (index,)
        if not all(isinstance(i, (slice, int, type(None), type(...))) for i in parts):
            raise TypeError(f"a Tensor can be indexed with slices, Python integers, None and ...; got {index!r}")
        return shapes.getitem(self, index=index)

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Return the sum over `axis`: None for all axes, an int, or a tuple of ints."""
        return shapes.sum_axes(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """Return the mean over `axis`: None for all axes, an int, or a tuple of ints."""
        if not self.size:
            raise ValueError(f"a tensor of shape {self.shape} has no elements, so it has no mean")
        total = self.sum(axis, keepdims)
        return total / (self.size / total.size)

    def reshape(self, *shape) -> Tensor:
        """Return x in another shape: x.reshape(2, 3), x.reshape((2, 3)) or x.reshape(2, -1)."""
        return shapes.reshape(self, shape=shape[0] if isinstance(shape[0], tuple) else shape)

    def transpose(self, *axes: int) -> Tensor:
        """Return x with its axes in the given order, or in reverse order without arguments."""
        return shapes.transpose(self, axes=tuple(a % self.ndim for a in axes) or tuple(reversed(range(self.ndim))))


class Primitive:
    """An operation on Tensors with its derivative, made from a function of arrays by the decorator @primitive.

    Arguments are Tensors. Constants may be arrays or Python numbers. Options are keyword arguments.

    vjp(g, needed, y, *args, **kwargs) -> a gradient for each argument, with g = dL/dy. needed: a bool for each
    argument. A gradient that is not needed may be None. `defvjp` makes this function from one function per argument.
    """

    def __init__(self, forward: Callable[..., Array]) -> None:
        self.forward = forward
        self.__name__, self.__doc__ = forward.__name__, forward.__doc__
        PRIMITIVES[self.__name__] = self

    def __call__(self, *args, **kwargs) -> Tensor:
        y = Tensor(self.forward(*arrays(args), **kwargs))
        if is_recording() and any(isinstance(x, Tensor) and x.requires_grad for x in args):
            y.requires_grad = True
            y.node = Node(self, args, kwargs, versions(args))
        return y

    def defvjp(self, *vjps: Callable[..., Tensor]) -> None:
        """Define a derivative for each argument: vjp(g, y, *args, **kwargs) -> dL/d argument, with g = dL/dy."""

        def vjp(g: Tensor, needed: list[bool], y: Tensor, *args, **kwargs) -> list[Tensor | None]:
            if any(needed[len(vjps) :]):
                raise TypeError(f"{self.__name__} has {len(vjps)} vjps; the gradient of another argument is needed")
            return [f(g, y, *args, **kwargs) if one else None for f, one in zip(vjps, needed)]

        self.vjp = vjp  # type: ignore[method-assign]

    def vjp(self, g: Tensor, needed: list[bool], y: Tensor, *args, **kwargs) -> Iterable[Tensor | None]:
        raise TypeError(f"{self.__name__} has no derivative: define one with {self.__name__}.defvjp")


primitive = Primitive


def arrays(args: tuple) -> list:
    """Return the arrays of Tensors. NumPy scalars become Python numbers: a Python number never changes a dtype."""
    return [x.data if isinstance(x, Tensor) else x.item() if isinstance(x, backend.xp.generic) else x for x in args]


def versions(args: tuple) -> tuple[int, ...]:
    return tuple(x.version for x in args if isinstance(x, Tensor))


from . import arithmetic, shapes  # noqa: E402  (at the end, because arithmetic and shapes import Tensor)

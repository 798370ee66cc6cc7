"""Moving and adding up elements: reshape, transpose, slices, concatenation, broadcasting and sums.

All operations are linear, so each derivative is the adjoint operation. It sums the gradients of
elements that were copied, and copies the gradient of a sum. In the formulas g = dL/dy.
"""

from .. import backend
from ..backend import distributed, fast
from .tensor import primitive

# fmt: off
# The line below each operation defines its derivative.


@primitive
def sum_to(x, shape):
    """y = x summed down to `shape`: the adjoint of broadcast_to        dL/dx = g, broadcast to the shape of x"""
    if x.ndim > 1 and shape == x.shape[-1:] and x.size:
        return backend.column_sums(fast.identity, x)  # the gradient of a bias: one fast pass
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(shape) if n == 1)
    return x.sum(axis=axes, keepdims=True).reshape(shape)
sum_to.defvjp(lambda g, y, x, shape: broadcast_to(g, shape=x.shape))


@primitive
def broadcast_to(x, shape):
    """y = x repeated to `shape`        dL/dx = sum of g over the repetitions"""
    return backend.xp.broadcast_to(x, shape)
broadcast_to.defvjp(lambda g, y, x, shape: sum_to(g, shape=x.shape))


@primitive
def sum_axes(x, axis, keepdims):
    """y = sum of x over `axis` (None: all, an int, or a tuple)        dL/dx = g, broadcast to the shape of x"""
    return x.sum(axis=axis, keepdims=keepdims)
sum_axes.defvjp(lambda g, y, x, axis, keepdims: broadcast_to(g.reshape(kept_shape(x, axis)), shape=x.shape))


def kept_shape(x, axis) -> tuple[int, ...]:
    """Return the shape of x with size 1 along each summed axis."""
    axes = range(x.ndim) if axis is None else [a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
    return tuple(1 if i in axes else n for i, n in enumerate(x.shape))


@primitive
def reshape(x, shape):
    """y = the elements of x in another shape        dL/dx = g in the shape of x"""
    return x.reshape(shape)
reshape.defvjp(lambda g, y, x, shape: reshape(g, shape=x.shape))


@primitive
def transpose(x, axes):
    """y = x with its axes in another order        dL/dx = g with the axes in the inverse order"""
    return x.transpose(axes)
transpose.defvjp(lambda g, y, x, axes: transpose(g, axes=tuple(axes.index(i) for i in range(len(axes)))))


@primitive
def getitem(x, index):
    """y = x[index]        dL/dx = g at index, zeros elsewhere"""
    return x[index]
getitem.defvjp(lambda g, y, x, index: scatter(g, index=index, shape=x.shape))


@primitive
def scatter(x, index, shape):
    """y = zeros(shape), then y[index] = x        dL/dx = g[index]"""
    y = backend.xp.zeros(shape, x.dtype)
    y[index] = x
    return y
scatter.defvjp(lambda g, y, x, index, shape: getitem(g, index=index))


@primitive
def concatenate(*xs, axis):
    """y = x1, x2, ... joined along `axis`        dL/dxi = the slice of g at the position of xi"""
    return backend.xp.concatenate(xs, axis)


def slices(g, needed, y, *xs, axis):
    axes_before, start = (slice(None),) * (axis % g.ndim), 0
    for x in xs:
        yield getitem(g, index=(*axes_before, slice(start, start + x.shape[axis])))
        start += x.shape[axis]
concatenate.vjp = slices  # type: ignore[method-assign]  # one function for any number of arguments


@primitive
def all_reduce(x):
    """y = the sum of the x of all processes that train together        dL/dx = the sum of the g of all processes"""
    return distributed.all_reduce(x)
all_reduce.defvjp(lambda g, y, x: all_reduce(g))

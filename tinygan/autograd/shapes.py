"""Moving and adding up elements: reshape, transpose, slices, concatenation, broadcasting, sums and means.

All of these are linear, so each derivative is the adjoint: what was copied is summed, what was summed is copied,
what was cut out is put back among zeros.
"""

import math

from .. import backend
from .tensor import Tensor, primitive


@primitive
def sum_to(x, shape):
    """Sum over the axes along which `shape` would be broadcast to x's        dL/dx = g, broadcast"""
    if x.ndim > 1 and shape == x.shape[-1:] and x.size:
        return backend.column_sums(identity, x)  # the gradient of every bias
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(shape) if n == 1)
    return x.sum(axis=axes, keepdims=True).reshape(shape)


def identity(x):
    """What column_sums sums when it is to sum an array as it is."""
    return x


sum_to.defvjp(lambda g, y, x, shape: broadcast_to(g, shape=x.shape))


@primitive
def broadcast_to(x, shape):
    """x repeated to `shape`        dL/dx = sum of g over the repetitions"""
    return backend.xp.broadcast_to(x, shape)


broadcast_to.defvjp(lambda g, y, x, shape: sum_to(g, shape=x.shape))


@primitive
def sum_axes(x, axis, keepdims):
    """y = sum of x over `axis` (None: all, an int, or a tuple)        dL/dx = g, broadcast"""
    return x.sum(axis=axis, keepdims=keepdims)


sum_axes.defvjp(lambda g, y, x, axis, keepdims: broadcast_to(g.reshape(_kept(x, axis)), shape=x.shape))


def _kept(x, axis):
    """The shape of x with each summed axis kept as one of size 1."""
    axes = range(x.ndim) if axis is None else [a % x.ndim for a in _tuple(axis)]
    return tuple(1 if i in axes else n for i, n in enumerate(x.shape))


@primitive
def reshape(x, shape):
    """The same elements in another shape        dL/dx = g in the shape of x"""
    return x.reshape(shape)


reshape.defvjp(lambda g, y, x, shape: reshape(g, shape=x.shape))


@primitive
def transpose(x, axes):
    """The same elements, axes in another order        dL/dx = g, transposed back"""
    return x.transpose(axes)


transpose.defvjp(
    lambda g, y, x, axes: transpose(g, axes=tuple(axes.index(i) for i in range(len(axes))))  # the inverse order
)


@primitive
def getitem(x, index):
    """y = x[index]        dL/dx = g at index, zeros elsewhere"""
    return x[index]


getitem.defvjp(lambda g, y, x, index: scatter(g, index=index, shape=x.shape))


@primitive
def scatter(x, index, shape):
    """y = zeros(shape), y[index] = x        dL/dx = g[index]"""
    y = backend.xp.zeros(shape, x.dtype)
    y[index] = x
    return y


scatter.defvjp(lambda g, y, x, index, shape: getitem(g, index=index))


@primitive
def concatenate(*xs, axis):
    """x1, x2, ... one after the other along `axis`        dL/dxi = its part of g"""
    return backend.xp.concatenate(xs, axis)


def _concatenate_vjp(g, wanted, y, *xs, axis):
    parts, start = [], 0
    for x, want in zip(xs, wanted):
        stop = start + x.shape[axis]
        index = (slice(None),) * (axis % g.ndim) + (slice(start, stop),)
        parts.append(getitem(g, index=index) if want else None)
        start = stop
    return parts


concatenate.def_joint_vjp(_concatenate_vjp)


def _tuple(axis):
    return axis if isinstance(axis, tuple) else (axis,)


def _getitem(x, index):
    """x[index] for slices, integers, None and ...: parts that do not overlap, so the adjoint can assign."""
    if not all(isinstance(i, (slice, int, type(None), type(...))) for i in _tuple(index)):
        raise TypeError(f"a Tensor is indexed with slices, integers, None and ...; got {index!r}")
    return getitem(x, index=index)


def _sum(x, axis=None, keepdims=False):
    """Sum over `axis`: None for all, an int, or a tuple of ints."""
    return sum_axes(x, axis=axis, keepdims=keepdims)


def _mean(x, axis=None, keepdims=False):
    """Mean over `axis`: None for all, an int, or a tuple of ints."""
    count = math.prod(n for n, kept in zip(x.shape, _kept(x, axis)) if kept != n)
    return _sum(x, axis, keepdims) / count


def _reshape(x, *shape):
    """x.reshape(2, 3), x.reshape((2, 3)) or x.reshape(2, -1)."""
    return reshape(x, shape=shape[0] if isinstance(shape[0], tuple) else shape)


def _transpose(x, *axes):
    """The axes in the given order; without one, reversed."""
    return transpose(x, axes=tuple(a % x.ndim for a in axes) or tuple(reversed(range(x.ndim))))


Tensor.__getitem__ = _getitem
Tensor.sum, Tensor.mean = _sum, _mean
Tensor.reshape, Tensor.transpose = _reshape, _transpose
Tensor.T = property(_transpose)

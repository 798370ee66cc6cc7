"""Compare derivatives with finite differences.

Take random weights u and the number S(x) = sum(u f(x)). Its derivative with respect to each input element, as the
engine computes it, must be the central difference (S(x + h) - S(x - h)) / 2h. It is computed twice: with create_graph,
by the vjps, and without, by the fused ones where there are any. The derivative is then itself a function, of the inputs
and of u, and is checked in the same way: orders 2, 3, ...
"""

from collections.abc import Callable, Sequence

import numpy as np

from .. import backend
from .backward import grad
from .tensor import Tensor, is_recording, record


class GradientError(AssertionError):
    """A derivative differs from the finite difference; the message says which one, where, and how to repeat it."""


def check_grads(
    function: Callable[..., Tensor], inputs: Sequence, order: int = 2, *, seed: int = 0, step: float = 1e-5,
    tolerance: float = 1e-6, name: str | None = None,
) -> None:  # fmt: skip
    """Check the derivatives of `function` at `inputs`, up to `order`, element by element, in float64.

    function: Tensors -> one Tensor, made of primitives, the same result at each call. inputs: arrays or numbers x,
    more than step * max(1, |x|) away from kinks. A derivative d passes if it is within tolerance * (1 + |d|) of the
    finite difference. Raises GradientError, which names order, argument, seed, and a wrong element's values; ValueError
    for a function that is random or not finite.
    """
    rng = np.random.default_rng(seed)
    name = name or getattr(function, "__name__", repr(function))
    arrays = [np.array(x.numpy() if isinstance(x, Tensor) else x, dtype="float64") for x in inputs]
    _check(function, [backend.to_device(a) for a in arrays], 1, order, rng, step, tolerance, f"{name} (seed {seed})")


def _check(function, arrays, level, order, rng, step, tolerance, name):
    y = function(*(Tensor(a) for a in arrays))
    if not bool(backend.xp.isfinite(y.data).all()):
        raise ValueError(f"{name} is not finite at these inputs, so there are no finite differences to compare with")
    if bool((y.data != function(*(Tensor(a) for a in arrays)).data).any()):
        raise ValueError(f"{name} gives another result at each call: fix its random numbers first")
    u = backend.to_device(rng.standard_normal(y.shape))

    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    y, options = function(*tensors), dict(grad_output=u, allow_unused=True)
    computed = grad(y, tensors, create_graph=True, **options), grad(y, tensors, **options)  # fused last: it frees y
    for i, (x, *ds) in enumerate(zip(arrays, *computed)):
        where = f"{name}: derivative of order {level}, argument {i}"
        for d in ds:
            if (d.shape, d.dtype) != (x.shape, x.dtype):
                raise GradientError(f"{where}: {d.dtype} of shape {d.shape}; the argument: {x.dtype} of {x.shape}")
        values = [d.numpy() for d in ds]
        _compare(lambda: (function(*(Tensor(a) for a in arrays)).data * u).sum(), x, values, step, tolerance, where)

    if level < order:
        directions = [backend.to_device(rng.standard_normal(a.shape)) for a in arrays]
        derivative = _derivative(function, len(arrays), directions)
        _check(derivative, [*arrays, u], level + 1, order, rng, step, tolerance, name)


def _compare(weighted_sum, x, computed, step, tolerance, where):
    """Move each element of x, in place, one step up and one step down; compare the difference with each derivative."""
    for index in np.ndindex(*x.shape):
        before = float(x[index])
        h = step * max(1.0, abs(before))
        x[index] = before + h
        above = float(weighted_sum())
        x[index] = before - h
        below = float(weighted_sum())
        x[index] = before
        difference = (above - below) / (2 * h)
        for d in (float(derivative[index]) for derivative in computed):
            if not abs(difference - d) <= tolerance * (1 + abs(d)):  # `not <=` so that a NaN fails too
                raise GradientError(f"{where}, index {index}: computed {d:.9g}, by finite differences {difference:.9g}")


def _derivative(function, count, directions):
    """Return the function (x1, ..., xn, u) -> sum over i of <direction_i, d sum(u function) / d xi>."""

    def derivative(*args):
        again = is_recording()
        with record(True):
            args = [a if a.requires_grad else Tensor(a.data, requires_grad=True) for a in args]
            xs, u = args[:count], args[count]
            gradients = grad(function(*xs), xs, create_graph=again, grad_output=u, allow_unused=True)
        return sum((gradient * direction).sum() for gradient, direction in zip(gradients, directions))

    return derivative

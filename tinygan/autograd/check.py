"""Compare derivatives with finite differences.

For a function f and random weights u, let S(x) = sum(u f(x)). The derivative of S with respect to each element of x
must equal the central difference (S(x + h) - S(x - h)) / 2h. The derivative is computed twice. With create_graph=True
grad differentiates the formulas of composed operations; with False it uses their fast gradients (composed.py).
The derivative is a function of x and u. Checking this function in the same way checks order 2, and so on.
"""

from collections.abc import Callable, Sequence

import numpy as np

from .. import backend
from .backward import grad
from .tensor import Tensor


class GradientError(AssertionError):
    """A derivative is wrong, or has a wrong shape or dtype. The message names its order, the argument and the seed."""


def check_grads(
    function: Callable[..., Tensor], inputs: Sequence, order: int = 2, *, seed: int = 0, step: float = 1e-5,
    tolerance: float = 1e-6, name: str | None = None,
) -> None:  # fmt: skip
    """Check the derivatives of `function` at `inputs`, up to `order`, element by element, in float64.

    function: Tensors -> one Tensor, made of primitives; not random. inputs: arrays or numbers x, at a distance of more
    than step * max(1, |x|) from kinks, such as 0 for ReLU. A derivative d passes if it differs from the finite
    difference by at most tolerance * (1 + |d|). Raises GradientError for a derivative that does not pass. Raises
    ValueError for a function that is random or not finite.
    """
    rng = np.random.default_rng(seed)
    name = name or getattr(function, "__name__", repr(function))
    arrays = [np.array(x.numpy() if isinstance(x, Tensor) else x, dtype="float64") for x in inputs]
    _check(function, [backend.to_device(a) for a in arrays], 1, order, rng, step, tolerance, f"{name} (seed {seed})")


def _check(function, arrays, level, order, rng, step, tolerance, name):
    y = function(*(Tensor(a) for a in arrays))
    if not bool(backend.xp.isfinite(y.data).all()):
        raise ValueError(f"{name} is not finite at these inputs: choose others")
    if bool((y.data != function(*(Tensor(a) for a in arrays)).data).any()):
        raise ValueError(f"{name} returns different results for the same inputs: fix its random numbers first")
    u = backend.to_device(rng.standard_normal(y.shape))

    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    y, options = function(*tensors), dict(grad_output=u, allow_unused=True)
    computed = grad(y, tensors, create_graph=True, **options), grad(y, tensors, **options)  # the last frees the graph
    for i, (x, *ds) in enumerate(zip(arrays, *computed)):
        where = f"{name}: derivative of order {level}, argument {i}"
        for d in ds:
            if (d.shape, d.dtype) != (x.shape, x.dtype):
                raise GradientError(f"{where} is {d.dtype} {d.shape}; the argument is {x.dtype} {x.shape}")
        values = [d.numpy() for d in ds]
        _compare(lambda: (function(*(Tensor(a) for a in arrays)).data * u).sum(), x, values, step, tolerance, where)

    if level < order:
        directions = [backend.to_device(rng.standard_normal(a.shape)) for a in arrays]
        derivative = _derivative(function, directions)
        _check(derivative, [*arrays, u], level + 1, order, rng, step, tolerance, name)


def _compare(weighted_sum, x, computed, step, tolerance, where):
    """Compare the finite difference at each element of x with the computed derivatives. x is changed and restored."""
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


def _derivative(function, directions):
    """Return the function (x1, ..., xn, u) -> sum over i of direction_i . dS/dxi, with S = sum(u function(x1, ...))."""

    def derivative(*args):
        *xs, u = (a if a.requires_grad else Tensor(a.data, requires_grad=True) for a in args)
        gradients = grad(function(*xs), xs, create_graph=True, grad_output=u, allow_unused=True)
        return sum((gradient * direction).sum() for gradient, direction in zip(gradients, directions))

    return derivative

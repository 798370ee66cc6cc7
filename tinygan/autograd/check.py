"""Is a derivative right? Compare it with the slope of the function itself.

Take random weights u and look at the number S(x) = sum(u f(x)). Its derivative by each single element of each input,
as the engine computes it, must be the central difference (S(x + h) - S(x - h)) / 2h. Then the derivative is a
function of its own, of the inputs and of u, and is checked in the same way: order 2, 3, ...
"""

import numpy as np

from .. import backend
from .backward import grad
from .tensor import Tensor, is_recording, record


class GradientError(AssertionError):
    """A derivative that is not the slope; the message says which, where, and how to see it again."""


def check_grads(function, inputs, order=2, *, seed=0, step=1e-5, tolerance=1e-6, name=None):
    """Prove the derivatives of `function` at `inputs`, up to `order`, element by element, in float64.

    function: Tensors -> one Tensor, made of primitives, the same result each time. inputs: arrays or numbers, away
    from kinks by more than `step`. A derivative d passes when it is within tolerance * (1 + |d|) of the slope.
    Raises GradientError, naming order, argument, index, both values and the seed; ValueError for a function that is
    random, or not finite.
    """
    rng = np.random.default_rng(seed)
    name = name or getattr(function, "__name__", repr(function))
    arrays = [np.array(getattr(x, "data", x) if isinstance(x, Tensor) else x, dtype="float64") for x in inputs]
    _check(function, [backend.to_device(a) for a in arrays], 1, order, rng, step, tolerance, f"{name} (seed {seed})")


def _check(function, arrays, level, order, rng, step, tolerance, name):
    y = function(*(Tensor(a) for a in arrays))
    if not bool(backend.xp.isfinite(y.data).all()):
        raise ValueError(f"{name} is not finite at these inputs: there is no slope to compare with")
    if bool((y.data != function(*(Tensor(a) for a in arrays)).data).any()):
        raise ValueError(f"{name} gives another result each time: freeze what is random in it")
    u = backend.to_device(rng.standard_normal(y.shape))

    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    computed = grad(function(*tensors), tensors, grad_output=u, allow_unused=True)
    for i, (x, d) in enumerate(zip(arrays, computed)):
        where = f"{name}: derivative of order {level}, argument {i}"
        if d.shape != x.shape:
            raise GradientError(f"{where}: shape {d.shape}, and the argument has {x.shape}")
        if d.dtype != x.dtype:
            raise GradientError(f"{where}: {d.dtype}, and the argument is {x.dtype}")
        _compare(lambda: (function(*(Tensor(a) for a in arrays)).data * u).sum(), x, d.numpy(), step, tolerance, where)

    if level < order:
        directions = [backend.to_device(rng.standard_normal(a.shape)) for a in arrays]
        derivative = _derivative(function, len(arrays), directions)
        _check(derivative, [*arrays, u], level + 1, order, rng, step, tolerance, name)


def _compare(weighted_sum, x, computed, step, tolerance, where):
    """Move each element of x, in place, a step up and a step down, and hold the slope against `computed`."""
    for index in np.ndindex(*x.shape):
        before = float(x[index])
        h = step * max(1.0, abs(before))
        x[index] = before + h
        above = float(weighted_sum())
        x[index] = before - h
        below = float(weighted_sum())
        x[index] = before
        slope, d = (above - below) / (2 * h), float(computed[index])
        if not abs(slope - d) <= tolerance * (1 + abs(d)):  # `not <=`: a NaN must fail too
            raise GradientError(f"{where}, index {index}: computed {d:.9g}, by finite differences {slope:.9g}")


def _derivative(function, count, directions):
    """(x1, ..., xn, u) -> sum over i of <direction_i, d sum(u function) / d xi>, a function to be checked itself."""

    def derivative(*args):
        again = is_recording()
        with record(True):
            args = [a if a.requires_grad else Tensor(a.data, requires_grad=True) for a in args]
            xs, u = args[:count], args[count]
            slopes = grad(function(*xs), xs, create_graph=again, grad_output=u, allow_unused=True)
        total = (slopes[0] * directions[0]).sum()
        for slope, direction in zip(slopes[1:], directions[1:]):
            total = total + (slope * direction).sum()
        return total

    return derivative

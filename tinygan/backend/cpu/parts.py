"""Functions of a batch that is divided into equal parts, on the CPU.

The parts are computed one after the other, and each part has its own sums.
"""

import functools

import numpy as np

from ... import backend


def one_by_one(fused):
    """Extend a fused function of arrays (n, C) and (C,) to arrays (P, n, C) and (P, 1, C): call it for each part."""

    @functools.wraps(fused)
    def extended(*args, out=None):
        shapes = {a.shape for a in args if isinstance(a, np.ndarray) and a.ndim == 3}
        if len(shapes) < 2:
            return fused(*args, out=out)
        shape = max(shapes)  # (P, n, C), which is larger than (P, 1, C)
        if out is None:
            out = np.empty(shape, next(a.dtype for a in args if isinstance(a, np.ndarray)))
        for i in range(shape[0]):
            fused(*(_matrix(a, i) if np.ndim(a) == 3 else a for a in args), out=out[i])
        return out

    return extended


def _matrix(a, i):
    return a[i] if a.shape[1] > 1 else a[i, 0]


def sums(compute, args, parts, out, then):
    """Return the result of backend.column_sums or backend.mean_and_variance. parts: the number of parts.

    compute(*args, out=out) returns the sums of one part, or its mean and variance: arrays (C,).
    """
    shape = max((a.shape for a in args if isinstance(a, np.ndarray)), key=lambda shape: (len(shape), shape))
    cut = [[_part(a, i, parts, shape) for a in (*args, out)] for i in range(parts)]
    each = [compute(*some, out=out) for *some, out in cut]
    return finish(then, parts, *(each[0] if parts == 1 else map(np.stack, zip(*each))))


def _part(a, i, parts, shape):
    """Return part i of an array of this shape, row i of an array (parts, C), or any other argument unchanged."""
    if not isinstance(a, np.ndarray) or a.ndim < 2:
        return a
    return a[i] if a.shape != shape else a if parts == 1 else a.reshape(parts, -1, shape[-1])[i]


def finish(then, parts, *sums):
    """Call `then` with the sums of one part after the other, and return its `out`. Without `then` return the sums."""
    if not then:
        return list(sums) if len(sums) > 1 else sums[0]
    out = then.keywords["out"]
    added = [parts > 1 and a.ndim == 1 and not any(a is x for x in then.args) for a in out]
    targets = [backend.xp.empty((parts, *a.shape), a.dtype) if add else a for a, add in zip(out, added)]
    for i in range(parts):
        args = (a[i] if getattr(a, "ndim", 0) == 2 else a for a in (*then.args, *sums))
        then.func(*args, out=tuple(a[i] if a.ndim == 2 else a for a in targets))
    for a, target, add in zip(out, targets, added):
        if add:
            target.sum(0, out=a)
    return out

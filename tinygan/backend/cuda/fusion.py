"""Elementwise functions as one kernel each, and the sums of their columns."""

import functools

import cupy as xp

from . import kernels


def fuse(function):
    """See backend.fuse. One kernel, which writes its results directly to `out`."""
    returning, writing = xp.fuse(kernel_name=function.__name__)(function), {}

    def fused(*args, out=None):
        if out is None:
            return returning(*args)
        outs = out if isinstance(out, tuple) else (out,)
        if len(outs) not in writing:
            writing[len(outs)] = xp.fuse(kernel_name=f"{function.__name__}_into")(into(function, len(outs)))
        writing[len(outs)](*outs, *args)
        return out

    return fused


def into(function, count):
    """Return the function with `count` arguments in front, to which its results are written.

    Everything is computed before anything is written, so the same arrays may also be inputs.
    """

    def write(*args):
        results = function(*args[count:])
        for target, result in zip(args[:count], results if isinstance(results, tuple) else (results,)):
            target[...] = result

    return write


def column_sums(function, *args):
    """See backend.column_sums. The function is one kernel, the sums one or two more."""
    return kernels.column_sums(function(*args) if len(args) == 1 else _fused(function)(*args))


_fused = functools.cache(fuse)


def mean_and_variance(x):
    """See backend.mean_and_variance. Two passes: the mean, then the squared deviations from it."""
    rows = x.size // x.shape[-1]
    mean = kernels.column_sums(x) / rows
    return mean, column_sums(_squared_deviation, x, mean) / rows


def centred_sums(g, x, mean):
    """See backend.centred_sums."""
    return kernels.column_sums(g), column_sums(_product_of_centred, g, x, mean)


def _squared_deviation(x, mean):
    centred = x - mean
    return centred * centred


def _product_of_centred(g, x, mean):
    return g * (x - mean)

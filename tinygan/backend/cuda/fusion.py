"""Elementwise functions as one kernel each, and the sums of their columns."""

import functools

import cupy as xp

from . import kernels


def fuse(function):
    """See backend.fuse. One kernel, that writes its results where they are to be."""
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
    """The function as one whose first `count` arguments are where its results go. Nothing is written before all is
    computed, so these may be arguments of the function too."""

    def write(*args):
        results = function(*args[count:])
        for target, result in zip(args[:count], results if isinstance(results, tuple) else (results,)):
            target[...] = result

    return write


def column_sums(function, *args):
    """See cpu.py. The function is one kernel, its sums one or two more; of a single array, the identity costs none."""
    return kernels.column_sums(function(*args) if len(args) == 1 else _fused(function)(*args))


_fused = functools.cache(fuse)


def mean_and_variance(x):
    """See the CPU's. Two passes: the mean, then the squares of what is centred by it."""
    rows = x.size // x.shape[-1]
    mean = kernels.column_sums(x) / rows
    return mean, column_sums(_squared_deviation, x, mean) / rows


def centred_sums(g, x, mean):
    """See the CPU's."""
    return kernels.column_sums(g), column_sums(_product_of_centred, g, x, mean)


def _squared_deviation(x, mean):
    centred = x - mean
    return centred * centred


def _product_of_centred(g, x, mean):
    return g * (x - mean)

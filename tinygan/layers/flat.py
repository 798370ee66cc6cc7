"""All parameters of a network in one array, so that an optimiser's update is one pass and not one per layer."""

import math

from .. import backend

ALIGNMENT = 64  # bytes: each parameter starts on a cache line, as matrix products like it


class FlatParameters:
    """One array, and where each parameter lies in it.

    Takes over the parameters ({name: Tensor}): copies their values in and makes their `data` views of it.
    """

    def __init__(self, parameters, dtype):
        self.parameters = parameters
        self.slices, size = {}, 0
        step = ALIGNMENT // backend.xp.dtype(dtype).itemsize
        for name, parameter in parameters.items():
            self.slices[name] = slice(size, size + parameter.size)
            size += math.ceil(parameter.size / step) * step
        self.data = backend.xp.zeros(size, dtype)
        for name, view in self.views(self.data).items():
            view[...] = parameters[name].data
            parameters[name].data = view
            parameters[name].version += 1

    def views(self, array):
        """{name: the parameter's part of an array laid out like `data`, in the parameter's shape}."""
        return {name: array[part].reshape(self.parameters[name].shape) for name, part in self.slices.items()}

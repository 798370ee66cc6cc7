"""All parameters of a network in one array. An optimiser then updates them in one pass instead of one per layer."""

import math

from .. import backend
from ..autograd import Tensor
from ..backend import Array

ALIGNMENT = 64  # bytes, a cache line: the offset of each parameter is a multiple of it


class FlatParameters:
    """The flat parameter buffer of a network: one array, and the slice of each parameter in it.

    Copies the values of the parameters, {name: Tensor}, into the buffer. Their `data` become views of the buffer.
    """

    def __init__(self, parameters: dict[str, Tensor], dtype: str) -> None:
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

    def views(self, array: Array) -> dict[str, Array]:
        """Return {name: view}: each parameter's part of `array`, in the parameter's shape. array: laid out as `data`"""
        return {name: array[part].reshape(self.parameters[name].shape) for name, part in self.slices.items()}

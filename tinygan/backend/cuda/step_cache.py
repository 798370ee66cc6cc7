"""The cache of a captured step: patches that are needed twice, constants, and functions to call at the end of the step.

A convolution makes the patches of its images, and the gradient of its filter needs the same patches. In a captured step
they are cached until the images are deleted or the step ends, if there is enough memory. The patches of a constant stay
for all steps. Outside of captured steps patches are not cached, because images may change in place.
"""

import functools
import weakref

import cupy as xp

FRACTION = 4  # cached patches use at most 1 / FRACTION of the memory that is free when the cache is made

_step = None  # the StepCache of the captured function that is running, or None


class StepCache:
    """The patches and constants of one captured function, and the functions to call at its end."""

    def __init__(self):
        self.patches, self.constants, self.at_end = {}, {}, {}
        self.space = xp.cuda.runtime.memGetInfo()[0] // FRACTION  # bytes for patches

    def run(self, function):
        """Call the captured function with this cache, and then the functions in at_end."""
        global _step
        _step = self
        for key, (_, images) in list(self.patches.items()):
            if not is_constant(images()):
                self.drop(key)  # the images may have changed since the last call
        try:
            function()
            for finish in self.at_end.values():
                finish()
        finally:
            _step = None
            self.at_end.clear()

    def add(self, key, images, columns):
        self.drop(key)
        if columns.nbytes <= self.space:
            self.patches[key] = columns, weakref.ref(images, lambda _: self.drop(key))
            self.space -= columns.nbytes

    def drop(self, key):
        if key in self.patches:
            self.space += self.patches.pop(key)[0].nbytes


def cache_patches(images, columns, *geometry):
    """Return `columns`, the patches of images. In a captured step, cache them. geometry: kernel, stride, padding."""
    if _step:
        _step.add((id(images), geometry), images, columns)
    return columns


def cached_patches(images, *geometry):
    """Return the patches of images from the cache, or None."""
    return _step.patches.get((id(images), geometry), (None,))[0] if _step else None


def at_end(key, function):
    """Call the function at the end of the captured step, once for each key. Outside of a captured step, call it now."""
    if _step:
        _step.at_end[key] = function
    else:
        function()


def ones(shape, dtype):
    """See backend.ones."""
    return constant(("ones", tuple(shape), xp.dtype(dtype).name), lambda: xp.ones(shape, dtype))


def is_constant(array):
    """Return whether the array is a constant of the captured step."""
    return _step is not None and any(array is constant for constant in _step.constants.values())


def counters(n):
    """Return n counters for the blocks of a kernel. Each kernel that uses them must leave them at zero.

    Kernels that may run at the same time, on two streams or in two graphs, get different counters.
    """
    if _step:
        return constant(("counters", n), lambda: xp.zeros(n, "uint32"))
    return _counters_of_stream(xp.cuda.get_current_stream().ptr, n)


@functools.cache
def _counters_of_stream(stream, n):
    return xp.zeros(n, "uint32")


def constant(key, make):
    """Return make(). In a captured function, call make only once for each key."""
    if not _step:
        return make()
    if key not in _step.constants:
        _step.constants[key] = make()
    return _step.constants[key]

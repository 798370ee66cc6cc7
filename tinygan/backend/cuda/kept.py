"""What a captured step keeps, so that it does less: patches that it will need again, constants, and what can wait.

The gradient of a filter needs the patches that the convolution has made. In a captured step they are kept as long as
the images live, if there is memory. Elsewhere nothing is kept, because code may change its images in place.
"""

import functools
import weakref

import cupy as xp

SHARE = 4  # kept patches take at most this part of the memory that is free when capturing begins

_step = None  # the Kept of the function that is running, if it is to be captured


class Kept:
    """The patches and constants of one captured function, and the functions to call at its end."""

    def __init__(self):
        self.patches, self.constants, self.at_end = {}, {}, {}
        self.space = xp.cuda.runtime.memGetInfo()[0] // SHARE  # bytes

    def run(self, function):
        """Call the captured function, keeping what it will need."""
        global _step
        _step = self
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


def keep_patches(images, columns, *geometry):
    """Keep the patches of images. Return them."""
    if _step:
        _step.add((id(images), geometry), images, columns)
    return columns


def kept_patches(images, *geometry):
    """Return the patches of images that were kept, or None."""
    return _step.patches.get((id(images), geometry), (None,))[0] if _step else None


def at_end(key, function):
    """Call the function at the end of the captured step, once for each key; outside of a step now."""
    if _step:
        _step.at_end[key] = function
    else:
        function()


def ones(shape, dtype):
    """See backend.ones. The first call of a captured function fills them."""
    return constant(("ones", tuple(shape), xp.dtype(dtype).name), lambda: xp.ones(shape, dtype))


def counters(n):
    """Return n counters for the blocks of a kernel. They are zero before and after each kernel that uses them.

    Kernels that may run side by side, on two streams or in two graphs, have different ones.
    """
    if _step:
        return constant(("counters", n), lambda: xp.zeros(n, "uint32"))
    return _counters_of_stream(xp.cuda.get_current_stream().ptr, n)


@functools.cache
def _counters_of_stream(stream, n):
    return xp.zeros(n, "uint32")


def constant(key, make):
    """Return make(), made once for a captured function."""
    if not _step:
        return make()
    if key not in _step.constants:
        _step.constants[key] = make()
    return _step.constants[key]

"""Hypothesis draws arrays, shapes and convolutions for test_backend_functions.py."""

from typing import NamedTuple

import definitions
import numpy as np
from hypothesis import strategies as st

from tinygan import backend

MOST = 1 << 20  # multiplications in a convolution, about


def view_of(host, layout):
    """Return an array of the device with the numbers of a NumPy array. Its numbers are in memory as `layout` says."""
    if layout == "negative":
        return backend.to_device(host[..., ::-1].copy())[..., ::-1]
    if layout == "strided":
        return backend.to_device(np.repeat(host, 2, -1))[..., ::2]
    if layout == "repeated":  # the numbers of the first row, which are in memory once
        return backend.xp.broadcast_to(backend.to_device(host[:1]), host.shape)
    axes = {"C": range(host.ndim), "F": range(host.ndim)[::-1], "rotated": [*range(1, host.ndim), 0][: host.ndim]}[
        layout
    ]
    there, back = tuple(axes), tuple(np.argsort(tuple(axes)))
    return backend.to_device(np.ascontiguousarray(host.transpose(there))).transpose(back)


class Draw(NamedTuple):
    """Draws arrays: their dtype, the layouts of the first arrays, and the seed of their numbers."""

    dtype: str
    layouts: tuple
    seed: int

    def integers(self, *shapes):
        """Return random integers from -3 to 3 as arrays of these shapes: a list for the device, and one for NumPy."""
        rng = np.random.default_rng(self.seed)
        views = [
            view_of(rng.integers(-3, 4, shape).astype(self.dtype), layout if shape else "C")
            for shape, layout in zip(shapes, (*self.layouts, *["C"] * len(shapes)))
        ]
        return views, [backend.to_host(view).copy() for view in views]


LAYOUTS = st.sampled_from(["C", "F", "rotated", "negative", "strided", "repeated"])
DRAWS = st.builds(Draw, st.sampled_from(["float32", "float64"]), st.tuples(LAYOUTS, LAYOUTS), st.integers(0, 2**32 - 1))
SHAPES = st.lists(st.integers(0, 9), min_size=1, max_size=4).map(tuple)
ROWS = st.builds(lambda rows, c: (*rows, c), st.lists(st.integers(1, 40), min_size=1, max_size=2), st.integers(1, 70))


MATRICES = st.one_of(
    st.tuples(st.integers(0, 70), st.integers(0, 70), st.integers(0, 70)),
    st.tuples(st.integers(1, 200), st.integers(60, 200), st.integers(60, 200)),  # large enough for compiled tiles
    st.tuples(st.integers(8, 20), st.integers(2040, 5000), st.integers(8, 70)),  # deeper than a panel
)


class Geometry(NamedTuple):
    """The sizes of a convolution. Each pair has the vertical and the horizontal number."""

    images: tuple  # (N, H, W, C)
    filters: tuple  # (kh, kw, C, D)
    stride: tuple
    padding: tuple

    @property
    def responses(self):
        grid = definitions.grid_of(self.images[1:3], self.filters[:2], self.stride, self.padding)
        return (self.images[0], *grid, self.filters[3])


def geometry(batch, channels, *axes):
    """axes: for each direction the grid, the kernel, the stride, the padding, and pixels that are in no patch"""
    sizes, kernel, stride, padding = zip(
        *((max(1, (g - 1) * s + k - 2 * p + rest % s), k, s, p) for g, k, s, p, rest in axes)
    )
    found = Geometry((batch, *sizes, channels[0]), (*kernel, *channels), stride, padding)
    one = np.prod(found.responses[1:]) * np.prod(found.filters[:3])
    return found._replace(images=(min(batch, 1 + MOST // one), *found.images[1:]))


@st.composite
def axes(draw):
    kernel = draw(st.integers(1, 5))
    stride = draw(st.one_of(st.integers(1, 4), st.just(kernel)))
    return draw(st.integers(1, 5)), kernel, stride, draw(st.integers(0, min(3, kernel))), draw(st.integers(0, 4))


CHANNELS = st.integers(1, 70)
GEOMETRIES = st.builds(geometry, st.integers(0, 33), st.tuples(CHANNELS, CHANNELS), axes(), axes())

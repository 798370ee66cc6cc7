"""Two ways to make networks faster: several batches in one pass, and a layer and its activation in one function."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_parts = ContextVar("parts", default=1)
parts_of_batch = _parts.get  # returns the number of equal parts of a batch; BatchNorm normalises each separately


@contextmanager
def separate_statistics(parts: int) -> Iterator[None]:
    """with separate_statistics(2): BatchNorm divides each batch into 2 parts, each with its own mean and variance."""
    before = _parts.set(parts)
    try:
        yield
    finally:
        _parts.reset(before)


def fuse_activations(layers):
    """Return a list of functions. Applied in order, they compute the layers.

    If a ReLU or leaky ReLU follows a layer with fuses_activation=True, one function computes both: forward(x, slope) of
    this layer. layer.slope is the slope of a ReLU or leaky ReLU, and None for other layers.
    """
    functions = []
    for layer in layers:
        before = functions[-1] if functions else None
        if layer.slope is not None and getattr(before, "fuses_activation", False):
            functions[-1] = functools.partial(before.forward, slope=layer.slope)
        else:
            functions.append(layer)
    return functions

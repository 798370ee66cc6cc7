"""Layers fused with the activation after them, and batches that a network takes in one pass. Only for speed."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_parts = ContextVar("parts", default=1)
parts_of_batch = _parts.get  # parts_of_batch(): how many parts of a batch BatchNorm normalises each by itself


@contextmanager
def separate_statistics(parts: int) -> Iterator[None]:
    """Within the block, BatchNorm gives each of `parts` equal parts of a batch a mean and a variance of its own."""
    before = _parts.set(parts)
    try:
        yield
    finally:
        _parts.reset(before)


def fuse_activations(layers):
    """Return the layers as functions: a layer and the ReLU or leaky ReLU after it become one, if the layer can do both.

    layer.slope: the slope of such an activation; None for other layers. layer.fuses_activation: whether the layer has
    forward(x, slope), which computes the activation too.
    """
    functions = []
    for layer in layers:
        before = functions[-1] if functions else None
        if layer.slope is not None and getattr(before, "fuses_activation", False):
            functions[-1] = functools.partial(before.forward, slope=layer.slope)
        else:
            functions.append(layer)
    return functions

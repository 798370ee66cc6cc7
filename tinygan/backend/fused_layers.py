"""What makes networks faster: a layer fused with its activation, and several batches in one pass."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_parts = ContextVar("parts", default=1)
parts_of_batch = (
    _parts.get
)  # parts_of_batch(): the number of equal parts of a batch that BatchNorm normalises separately


@contextmanager
def separate_statistics(parts: int) -> Iterator[None]:
    """Within the block, BatchNorm gives each of `parts` equal parts of a batch a mean and a variance of its own."""
    before = _parts.set(parts)
    try:
        yield
    finally:
        _parts.reset(before)


def fuse_activations(layers):
    """Return functions that compute the layers in order. A layer and a (leaky) ReLU after it can become one function.

    That needs layer.fuses_activation: forward(x, slope) of such a layer also applies the leaky ReLU. layer.slope: the
    slope of a ReLU or leaky ReLU; None for all other layers.
    """
    functions = []
    for layer in layers:
        before = functions[-1] if functions else None
        if layer.slope is not None and getattr(before, "fuses_activation", False):
            functions[-1] = functools.partial(before.forward, slope=layer.slope)
        else:
            functions.append(layer)
    return functions

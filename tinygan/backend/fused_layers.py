"""Layers fused with the activation after them: one pass over memory computes both. This is only for speed."""

import functools


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

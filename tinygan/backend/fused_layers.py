"""Layers fused with the activation after them, so that both are one pass over memory. Only for speed."""

import functools


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

"""Layers joined with the activation after them, so that both are one pass over memory. Only for speed."""

import functools


def join(layers):
    """Return the layers as functions; a layer that `joins`, and the ReLU or leaky ReLU after it, become one function.

    slope: of such an activation, None in other layers. A layer with joins = True has forward(x, slope).
    """
    functions = []
    for layer in layers:
        before = functions[-1] if functions else None
        if layer.slope is not None and getattr(before, "joins", False):
            functions[-1] = functools.partial(before.forward, slope=layer.slope)
        else:
            functions.append(layer)
    return functions

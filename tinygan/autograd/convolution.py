"""Convolution: three partial derivatives of one form.

Take an image x, a filter w and an image of responses g, and the number
    s(x, w, g) = sum(g * conv(x, w))
It is linear in each of the three, and its partial derivatives are the three operations here:
    conv2d           = ds/dg: how much each patch of x looks like each filter
    conv_transpose2d = ds/dx: each response paints its filter back into the image, overlaps added
    conv2d_weight_grad    = ds/dw: each filter is what its responses saw, added up
So the derivatives of each are the other two, to any order. A generator's "transposed" convolution is the gradient
of a convolution with respect to its image, run forwards (Dumoulin & Visin 2016, A guide to convolution arithmetic).

Channels last: x (N, H, W, C_in), w (kh, kw, C_in, C_out), g (N, OH, OW, C_out). A patch is one row of kh kw C_in
numbers, so each of the three is one matrix product. stride, padding: (vertical, horizontal).
"""

from .. import backend
from ..backend.patches import patch_grid
from .tensor import primitive


@primitive
def conv2d(x, w, stride=(1, 1), padding=(0, 0)):
    """y = patches(x) w        x: (N, H, W, C_in), w: (kh, kw, C_in, C_out) -> y: (N, OH, OW, C_out)"""
    return backend.conv2d(x, w, stride, padding)


@primitive
def conv_transpose2d(g, w, size, stride=(1, 1), padding=(0, 0)):
    """x = patches^T(g w^T)        g: (N, OH, OW, C_out), w: (kh, kw, C_in, C_out) -> x: (N, *size, C_in)

    size: (H, W) of the image, since several sizes give the same number of patches when the stride is over 1.
    """
    if patch_grid(size, w.shape[:2], stride, padding) != g.shape[1:3]:
        raise ValueError(f"a convolution of an image of {size} has no {g.shape[1:3]} responses to transpose")
    return backend.conv_transpose2d(g, w, size, stride, padding)


@primitive
def conv2d_weight_grad(x, g, kernel, stride=(1, 1), padding=(0, 0)):
    """w = patches(x)^T g        x: (N, H, W, C_in), g: (N, OH, OW, C_out) -> w: (*kernel, C_in, C_out)"""
    return backend.conv2d_weight_grad(x, g, kernel, stride, padding)


conv2d.defvjp(
    lambda g, y, x, w, **where: conv_transpose2d(g, w, size=x.shape[1:3], **where),
    lambda g, y, x, w, **where: conv2d_weight_grad(x, g, kernel=w.shape[:2], **where),
)
conv_transpose2d.defvjp(
    lambda u, x, g, w, size, **where: conv2d(u, w, **where),
    lambda u, x, g, w, size, **where: conv2d_weight_grad(u, g, kernel=w.shape[:2], **where),
)
conv2d_weight_grad.defvjp(
    lambda u, w, x, g, kernel, **where: conv_transpose2d(g, u, size=x.shape[1:3], **where),
    lambda u, w, x, g, kernel, **where: conv2d(x, u, **where),
)

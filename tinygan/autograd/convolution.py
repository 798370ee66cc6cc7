"""Convolution as three partial derivatives of one trilinear form.

Take an image x, a filter w, an array of responses g (one for each patch and filter: a feature map), and the number

    s(x, w, g) = sum(g * conv(x, w))

It is linear in each of the three, and its partial derivatives are the three operations of this file:

    conv2d             = ds/dg    correlate each patch of x with each filter
    conv_transpose2d   = ds/dx    add each filter to the image, scaled by its response; overlapping copies are summed
    conv2d_weight_grad = ds/dw    sum the patches, weighted by their responses

So the derivatives of each are the other two, to any order. The "transposed" convolution of a generator is the gradient
of a convolution with respect to its image, used as a forward pass (Dumoulin & Visin 2016, section 4).

Channels last: x (N, H, W, C_in), w (kh, kw, C_in, C_out), g (N, OH, OW, C_out). patches(x) is a matrix with one patch
(kh kw C_in numbers) in each row; so each operation is one matrix product. stride, padding: (vertical, horizontal).
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

    patches^T, the adjoint of patches, adds each row back to the image. size: (H, W) of the image, because several sizes
    give the same number of patches when the stride is over 1. Raises ValueError for a size that does not fit g.
    """
    if patch_grid(size, w.shape[:2], stride, padding) != g.shape[1:3]:
        raise ValueError(f"a convolution of an image of {size} does not give {g.shape[1:3]} responses")
    return backend.conv_transpose2d(g, w, size, stride, padding)


@primitive
def conv2d_weight_grad(x, g, kernel, stride=(1, 1), padding=(0, 0)):
    """w = patches(x)^T g        x: (N, H, W, C_in), g: (N, OH, OW, C_out) -> w: (*kernel, C_in, C_out)"""
    return backend.conv2d_weight_grad(x, g, kernel, stride, padding)


conv2d.defvjp(
    lambda g, y, x, w, **options: conv_transpose2d(g, w, size=x.shape[1:3], **options),
    lambda g, y, x, w, **options: conv2d_weight_grad(x, g, kernel=w.shape[:2], **options),
)
conv_transpose2d.defvjp(
    lambda u, x, g, w, size, **options: conv2d(u, w, **options),
    lambda u, x, g, w, size, **options: conv2d_weight_grad(u, g, kernel=w.shape[:2], **options),
)
conv2d_weight_grad.defvjp(
    lambda u, w, x, g, kernel, **options: conv_transpose2d(g, u, size=x.shape[1:3], **options),
    lambda u, w, x, g, kernel, **options: conv2d(x, u, **options),
)

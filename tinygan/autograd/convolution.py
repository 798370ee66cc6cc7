"""Convolution as three partial derivatives of one trilinear form.

Take images x, filters w, and responses r: one number for each patch of the images and each filter. Consider the sum

    s(x, w, r) = sum(r * conv(x, w))

It is linear in x, in w and in r. Its partial derivatives are the three operations of this file:

    conv2d             = ds/dr    correlate each patch of x with each filter
    conv_transpose2d   = ds/dx    add to each patch of the image the filters times their responses
    conv2d_weight_grad = ds/dw    sum the patches times their responses

So the derivatives of each operation are the other two, to any order. The "transposed" convolution of a generator is the
gradient of a convolution with respect to its images, used as a forward pass (Dumoulin & Visin 2016, section 4).

Channels last: x (N, H, W, C_in), w (kh, kw, C_in, C_out), r (N, OH, OW, C_out). patches(x) is a matrix with one patch
(kh kw C_in numbers) in each row, so each operation is one matrix product. stride, padding: (vertical, horizontal).
"""

from .. import backend
from .tensor import primitive


@primitive
def conv2d(x, w, stride=(1, 1), padding=(0, 0)):
    """y = patches(x) w        x: (N, H, W, C_in), w: (kh, kw, C_in, C_out) -> y: (N, OH, OW, C_out)"""
    return backend.conv2d(x, w, stride, padding)


@primitive
def conv_transpose2d(r, w, size, stride=(1, 1), padding=(0, 0)):
    """x = patches^T(r w^T)        r: (N, OH, OW, C_out), w: (kh, kw, C_in, C_out) -> x: (N, *size, C_in)

    patches^T, the adjoint of patches, adds each row to the image at the position of its patch. size: (H, W) of the
    image. With a stride above 1, images of several sizes give the same (OH, OW). Raises ValueError for other sizes.
    """
    return backend.conv_transpose2d(r, w, size, stride, padding)


@primitive
def conv2d_weight_grad(x, r, kernel, stride=(1, 1), padding=(0, 0)):
    """w = patches(x)^T r        x: (N, H, W, C_in), r: (N, OH, OW, C_out) -> w: (*kernel, C_in, C_out)"""
    return backend.conv2d_weight_grad(x, r, kernel, stride, padding)


conv2d.defvjp(
    lambda g, y, x, w, **options: conv_transpose2d(g, w, size=x.shape[1:3], **options),
    lambda g, y, x, w, **options: conv2d_weight_grad(x, g, kernel=w.shape[:2], **options),
)
conv_transpose2d.defvjp(
    lambda g, x, r, w, size, **options: conv2d(g, w, **options),
    lambda g, x, r, w, size, **options: conv2d_weight_grad(g, r, kernel=w.shape[:2], **options),
)
conv2d_weight_grad.defvjp(
    lambda g, w, x, r, kernel, **options: conv_transpose2d(r, g, size=x.shape[1:3], **options),
    lambda g, w, x, r, kernel, **options: conv2d(x, g, **options),
)

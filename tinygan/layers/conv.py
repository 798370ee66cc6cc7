"""Convolution and transposed convolution. Images are channels last: (N, H, W, C)."""

import math

from .. import backend
from ..autograd import Tensor, conv2d, conv_transpose2d
from .initial import normal
from .module import Module


def pair(n):
    """An int stands for both directions: 3 -> (3, 3); (vertical, horizontal) stays."""
    return (n, n) if isinstance(n, int) else tuple(n)


class _Conv(Module):
    """What both have: the filters (kh, kw, *channels), stride, padding, and a bias for each channel that comes out."""

    def __init__(self, n_in, n_out, kernel, rng, stride, padding, bias, init, channels, fan_in):
        self.n_in, self.n_out = n_in, n_out
        self.stride, self.padding = pair(stride), pair(padding)
        self.weight = Tensor(init(rng, (*kernel, *channels), fan_in), requires_grad=True)
        self.bias = Tensor(backend.xp.zeros(n_out, "float32"), requires_grad=True) if bias else None
        self.spectral = None  # see spectral.py

    def filters(self):
        return self.spectral(self.weight) if self.spectral else self.weight

    def check(self, x):
        if x.ndim != 4 or x.shape[3] != self.n_in:
            hint = " Try x.transpose(0, 2, 3, 1)." if x.ndim == 4 and x.shape[1] == self.n_in else ""
            raise ValueError(
                f"{type(self).__name__}({self.n_in} -> {self.n_out}) wants channels last (N, H, W, {self.n_in}); "
                f"got {x.shape}.{hint}"
            )

    def add_bias(self, y):
        return y + self.bias if self.bias is not None else y


class Conv2d(_Conv):
    """y = conv(x, w) + b        x: (N, H, W, n_in) -> (N, OH, OW, n_out),  OH = (H + 2 padding - k) // stride + 1

    weight: (kh, kw, n_in, n_out). kernel, stride, padding: an int or (vertical, horizontal).
    Raises ValueError for inputs that are not channels last or smaller than the kernel.
    """

    def __init__(self, n_in, n_out, kernel, rng, stride=1, padding=0, bias=True, init=normal):
        kernel = pair(kernel)
        fan_in = math.prod(kernel) * n_in
        super().__init__(n_in, n_out, kernel, rng, stride, padding, bias, init, (n_in, n_out), fan_in)

    def forward(self, x, planes=None):
        """planes: (N, P), the values of P more channels that are constant over each image, behind those of x."""
        where = dict(stride=self.stride, padding=self.padding)
        if planes is None:
            self.check(x)
            return self.add_bias(conv2d(x, self.filters(), **where))
        (_, h, w, c), count, filters = x.shape, planes.shape[1], self.filters()
        if c + count != self.n_in:
            raise ValueError(
                f"Conv2d({self.n_in} -> {self.n_out}) wants {self.n_in} channels; got {c} and {count} planes"
            )
        y = conv2d(x, filters[:, :, :c], **where)
        # what the filters see in a plane of ones is the same in every image: once for all, then times the values
        ones = Tensor(backend.xp.ones((1, h, w, 1), x.dtype))
        seen = conv2d(ones, filters[:, :, c:].reshape(*filters.shape[:2], 1, count * self.n_out), **where)
        seen = seen.reshape(-1, count, self.n_out).transpose(1, 0, 2).reshape(count, -1)
        return self.add_bias(y + (planes @ seen).reshape(*y.shape))


class ConvTranspose2d(_Conv):
    """The gradient of a Conv2d(n_out -> n_in) with respect to its image, run forwards: it enlarges.

    x: (N, H, W, n_in) -> (N, OH, OW, n_out),  OH = (H - 1) stride - 2 padding + k + output_padding
    weight: (kh, kw, n_out, n_in), the filters of that Conv2d. output_padding, smaller than the stride, says which of
    the image sizes that the convolution maps to H is meant. Raises ValueError as Conv2d does.
    """

    def __init__(self, n_in, n_out, kernel, rng, stride=1, padding=0, output_padding=0, bias=True, init=normal):
        kernel, self.output_padding = pair(kernel), pair(output_padding)
        # an output pixel is covered by k / stride filters in each direction
        fan_in = n_in * math.prod(kernel) / math.prod(pair(stride))
        super().__init__(n_in, n_out, kernel, rng, stride, padding, bias, init, (n_out, n_in), fan_in)
        if any(o >= s for o, s in zip(self.output_padding, self.stride)):
            raise ValueError(f"output_padding {self.output_padding} must be smaller than the stride {self.stride}")

    def forward(self, x):
        self.check(x)
        size = tuple(
            (n - 1) * s - 2 * p + k + o
            for n, s, p, k, o in zip(
                x.shape[1:3], self.stride, self.padding, self.weight.shape[:2], self.output_padding
            )
        )
        return self.add_bias(conv_transpose2d(x, self.filters(), size=size, stride=self.stride, padding=self.padding))

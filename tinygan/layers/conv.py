"""Convolution and transposed convolution. Images are channels last: (N, H, W, C)."""

import math

from .. import backend
from ..autograd import Tensor, conv2d, conv_transpose2d
from .activation import with_bias
from .initial import normal
from .module import Module

Pair = int | tuple[int, int]  # one int for both directions, or (vertical, horizontal)


def pair(n: Pair) -> tuple[int, int]:
    return (n, n) if isinstance(n, int) else n


class _Conv(Module):
    """Base class: filters (kh, kw, *channels), stride, padding, and optionally a bias for each output channel."""

    def __init__(self, n_in, n_out, kernel, rng, stride, padding, bias, init, channels, fan_in):
        self.n_in, self.n_out = n_in, n_out
        self.stride, self.padding = pair(stride), pair(padding)
        self.weight = Tensor(init(rng, (*kernel, *channels), fan_in), requires_grad=True)
        self.bias = Tensor(backend.xp.zeros(n_out, "float32"), requires_grad=True) if bias else None
        self.spectral = None  # a SpectralNorm; see spectral.py

    def filters(self) -> Tensor:
        return self.spectral(self.weight) if self.spectral else self.weight

    def check(self, x: Tensor) -> None:
        if x.ndim != 4 or x.shape[3] != self.n_in:
            hint = " Try x.transpose(0, 2, 3, 1)." if x.ndim == 4 and x.shape[1] == self.n_in else ""
            raise ValueError(
                f"{type(self).__name__}({self.n_in} -> {self.n_out}) wants channels last (N, H, W, {self.n_in}); "
                f"got {x.shape}.{hint}"
            )


class Conv2d(_Conv):
    """y = conv(x, w) + b        x: (N, H, W, n_in) -> (N, OH, OW, n_out),  OH = (H + 2 padding - kh) // stride + 1

    weight: (kh, kw, n_in, n_out). Raises ValueError if x does not have n_in channels, or is smaller than the kernel.
    """

    def __init__(
        self, n_in: int, n_out: int, kernel: Pair, rng, stride: Pair = 1, padding: Pair = 0, bias: bool = True,
        init=normal,
    ) -> None:  # fmt: skip
        kernel = pair(kernel)
        fan_in = n_in * math.prod(kernel)
        super().__init__(n_in, n_out, kernel, rng, stride, padding, bias, init, (n_in, n_out), fan_in)

    def forward(self, x: Tensor, slope: float = 1.0) -> Tensor:
        self.check(x)
        return with_bias(conv2d(x, self.filters(), stride=self.stride, padding=self.padding), self.bias, slope)


class ConvTranspose2d(_Conv):
    """The gradient of a Conv2d(n_out -> n_in) with respect to its image, used as a forward pass: it enlarges images.

    x: (N, H, W, n_in) -> (N, OH, OW, n_out),  OH = (H - 1) stride - 2 padding + kh + output_padding
    weight: (kh, kw, n_out, n_in), the filters of the Conv2d. With a stride above 1 the Conv2d makes images of several
    sizes OH equally small, and output_padding, smaller than the stride, chooses one of these sizes. Raises ValueError
    if x does not have n_in channels.
    """

    def __init__(
        self, n_in: int, n_out: int, kernel: Pair, rng, stride: Pair = 1, padding: Pair = 0, output_padding: Pair = 0,
        bias: bool = True, init=normal,
    ) -> None:  # fmt: skip
        kernel, self.output_padding = pair(kernel), pair(output_padding)
        fan_in = n_in * math.prod(kernel) / math.prod(pair(stride))  # a pixel sums kernel / stride products
        super().__init__(n_in, n_out, kernel, rng, stride, padding, bias, init, (n_out, n_in), fan_in)
        if any(o >= s for o, s in zip(self.output_padding, self.stride)):
            raise ValueError(f"output_padding {self.output_padding} must be smaller than the stride {self.stride}")

    def forward(self, x: Tensor, slope: float = 1.0) -> Tensor:
        self.check(x)
        sizes = zip(x.shape[1:3], self.stride, self.padding, self.weight.shape[:2], self.output_padding)
        size = tuple((n - 1) * s - 2 * p + k + o for n, s, p, k, o in sizes)
        y = conv_transpose2d(x, self.filters(), size=size, stride=self.stride, padding=self.padding)
        return with_bias(y, self.bias, slope)

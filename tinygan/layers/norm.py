"""Batch normalisation (Ioffe & Szegedy 2015)."""

from .. import backend
from ..autograd import Tensor, batch_norm
from ..backend import distributed, formulas
from ..backend.fused_layers import parts_of_batch
from .activation import add_bias
from .module import Module


class BatchNorm(Module):
    """Bring each channel to mean beta and standard deviation gamma: x (N, ..., channels) -> the same shape.

    gamma and beta are learned by gradient. In training mode, mean and variance are computed from the batch, so an
    output depends on the other images. Evaluation mode uses running averages of the mean and of the unbiased variance,
    so an output does not depend on other images. These averages belong to the trained weights. For averaged weights
    (EMA), update_bn_statistics (gan/ema.py) computes new ones.
    """

    fuses_activation = True

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        xp = backend.xp
        self.momentum, self.eps = momentum, eps
        self.gamma = Tensor(xp.ones(channels, "float32"), requires_grad=True)
        self.beta = Tensor(xp.zeros(channels, "float32"), requires_grad=True)
        self.running_mean = xp.zeros(channels, "float32")
        self.running_var = xp.ones(channels, "float32")

    def forward(self, x: Tensor, slope: float = 1.0) -> Tensor:
        if x.shape[-1] != self.gamma.size:
            raise ValueError(f"BatchNorm({self.gamma.size}) wants {self.gamma.size} channels last; got {x.shape}")
        return (self.normalise_by_batch if self.training else self.normalise_by_averages)(x, slope)

    def normalise_by_batch(self, x: Tensor, slope: float) -> Tensor:
        parts = parts_of_batch()
        if x.size * distributed.size < 2 * parts * x.shape[-1]:
            raise ValueError(f"BatchNorm needs two values of each channel in training; got {x.shape}")
        arrays = self.gamma.data, self.beta.data, self.running_mean, self.running_var
        statistics = formulas.batch_norm_statistics(x.data, *arrays, self.momentum, self.eps, parts)
        return batch_norm(x, self.gamma, self.beta, statistics, eps=self.eps, slope=slope)

    def normalise_by_averages(self, x: Tensor, slope: float) -> Tensor:
        scale = self.gamma * (self.running_var + self.eps) ** -0.5
        return add_bias(x * scale, self.beta - scale * self.running_mean, slope)

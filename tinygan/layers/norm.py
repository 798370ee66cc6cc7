"""Batch normalisation (Ioffe & Szegedy 2015)."""

from .. import backend
from ..autograd import Tensor, batch_norm
from ..backend import distributed
from .activation import with_bias
from .module import Module


class BatchNorm(Module):
    """y = gamma (x - mean) / sqrt(var + eps) + beta        x: (N, ..., channels) -> the same shape

    gamma and beta are learned by gradient. In training mode, mean and variance of each channel are those of the batch,
    so an output depends on the other images. Evaluation mode uses running averages of the mean and of the unbiased
    variance, so an output does not depend on other images. These averages belong to the trained weights. For averaged
    weights (EMA), update_bn_statistics (gan/ema.py) computes new ones. Raises ValueError for an input with other
    channels. In training each channel needs at least two values; ValueError otherwise.
    """

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        xp = backend.xp
        self.momentum, self.eps = momentum, eps
        self.gamma = Tensor(xp.ones(channels, "float32"), requires_grad=True)
        self.beta = Tensor(xp.zeros(channels, "float32"), requires_grad=True)
        self.running_mean = xp.zeros(channels, "float32")
        self.running_var = xp.ones(channels, "float32")

    def forward(self, x: Tensor, slope: float = 1.0) -> Tensor:
        """Normalise x. slope: of a leaky ReLU that follows; 1 means none."""
        channels = self.gamma.size
        if x.shape[-1] != channels:
            raise ValueError(f"BatchNorm({channels}) wants {channels} channels last; got {x.shape}")
        if not self.training:
            scale = self.gamma * (self.running_var + self.eps) ** -0.5
            return with_bias(x * scale, self.beta - scale * self.running_mean, slope)

        n = x.size // channels * distributed.size  # values of each channel
        if n < 2:
            raise ValueError(f"BatchNorm needs two values of each channel in training; got {x.shape}")
        mean, var = backend.mean_and_variance(x.data)
        averages = self.running_mean, self.running_var
        moved(*averages, mean, var, self.momentum, n / (n - 1), out=averages)
        return batch_norm(x, self.gamma, self.beta, moments=(mean, var), eps=self.eps, slope=slope)


@backend.fuse
def moved(running_mean, running_var, mean, var, momentum, correction):
    """Return the running averages after a batch. correction: n / (n - 1), so the variance of n values is unbiased."""
    running_mean = running_mean + momentum * (mean - running_mean)
    running_var = running_var + momentum * (var * correction - running_var)
    return running_mean, running_var

"""Batch normalisation (Ioffe & Szegedy 2015)."""

from .. import backend
from ..autograd import Tensor, batch_norm, no_grad
from .module import Module


class BatchNorm(Module):
    """Each channel to mean beta and standard deviation gamma: x (N, ..., channels), of that shape again.

    It keeps two kinds of numbers. gamma and beta are learned by gradient. In training the mean and variance are those
    of the batch, so that what comes out depends on the other images; in use an image must stand for itself, and the
    running averages collected in training serve instead. running_var holds the unbiased variance.
    """

    def __init__(self, channels, momentum=0.1, eps=1e-5):
        xp = backend.xp
        self.momentum, self.eps = momentum, eps
        self.gamma = Tensor(xp.ones(channels, "float32"), requires_grad=True)
        self.beta = Tensor(xp.zeros(channels, "float32"), requires_grad=True)
        self.running_mean = xp.zeros(channels, "float32")
        self.running_var = xp.ones(channels, "float32")

    def forward(self, x):
        if x.shape[-1] != self.gamma.size:
            raise ValueError(f"BatchNorm({self.gamma.size}) wants {self.gamma.size} channels last; got {x.shape}")
        return self.by_batch(x) if self.training else self.by_running_statistics(x)

    def by_batch(self, x):
        rows = x.size // x.shape[-1]
        if rows < 2:
            raise ValueError(f"BatchNorm needs two values of each channel to train on; got {x.shape}")
        mean, var = backend.moments(x.data)
        self.running_mean += self.momentum * (mean - self.running_mean)
        self.running_var += self.momentum * (var * (rows / (rows - 1)) - self.running_var)
        return batch_norm(x, self.gamma, self.beta, mean, var, eps=self.eps)

    def by_running_statistics(self, x):
        scale = self.gamma * (self.running_var + self.eps) ** -0.5
        return x * scale + (self.beta - scale * self.running_mean)


def update_bn_statistics(network, batches):
    """Running statistics anew, as the plain mean over `batches` (inputs of the network, a list of argument tuples).

    Under averaged weights (EMA) the statistics that were collected along the way are those of other weights.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.running_mean[...] = layer.running_var[...] = 0.0
    network.train()
    try:
        with no_grad():
            for k, inputs in enumerate(batches, 1):
                for layer in layers:
                    layer.momentum = 1.0 / k  # the k-th batch counts one k-th: the plain mean
                network(*inputs)
    finally:
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum

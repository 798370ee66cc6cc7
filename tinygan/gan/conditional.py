"""Networks with the class of an image as a second input: conditional GANs (Mirza & Osindero 2014)."""

from ..autograd import Tensor, broadcast_to, concatenate
from ..layers import Module, Sequential


class Conditional(Module):
    """A network whose inputs are x and one-hot labels (N, classes).

    The labels are appended to x: to a latent vector as further numbers, to an image as further channels that are
    constant over the image. network: a Sequential whose input has `classes` more numbers or channels than x.
    """

    def __init__(self, network: Sequential) -> None:
        self.network = network

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.network(append_labels(x, labels))


def append_labels(x: Tensor, labels: Tensor) -> Tensor:
    """Append the labels along the last axis: (N, ..., C), (N, classes) -> (N, ..., C + classes)"""
    n, *size, _ = x.shape
    maps = broadcast_to(labels.reshape(n, *[1] * len(size), labels.shape[1]), shape=(n, *size, labels.shape[1]))
    return concatenate(x, maps, axis=-1)

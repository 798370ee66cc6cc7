"""Networks with the class of an image as a second input: conditional GANs (Mirza & Osindero 2014)."""

from .. import backend
from ..autograd import Tensor, broadcast_to, concatenate, conv2d
from ..layers import Conv2d, Module, Sequential, apply


class Conditional(Module):
    """A network whose inputs are x and one-hot labels (N, classes).

    The labels are appended to x: to a latent vector as further numbers, to an image as further channels that are
    constant over the image. network: a Sequential whose input has `classes` more numbers or channels than x.
    """

    def __init__(self, network: Sequential) -> None:
        self.network = network

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        first, *others = self.network.layers
        if isinstance(first, Conv2d):
            return apply(others, label_conv2d(first, x, labels))
        return apply(self.network.layers, append_labels(x, labels))


def append_labels(x: Tensor, labels: Tensor) -> Tensor:
    """Append the labels along the last axis: (N, ..., C), (N, classes) -> (N, ..., C + classes)"""
    n, *size, _ = x.shape
    maps = broadcast_to(labels.reshape(n, *[1] * len(size), labels.shape[1]), shape=(n, *size, labels.shape[1]))
    return concatenate(x, maps, axis=-1)


def label_conv2d(conv: Conv2d, x: Tensor, labels: Tensor) -> Tensor:
    """Compute conv(append_labels(x, labels)) faster: (N, H, W, C), (N, classes) -> (N, OH, OW, n_out)

    The channel of a class is constant over an image. So the response to this channel is the label times the response to
    a channel of ones. The responses to ones are computed once for the batch; a matrix product multiplies them by the
    labels.
    """
    (_, h, w, c), classes, filters = x.shape, labels.shape[1], conv.filters()
    if c + classes != conv.n_in:
        raise ValueError(f"this Conv2d wants {conv.n_in} channels; got {c} and {classes} classes")
    y = conv2d(x, filters[:, :, :c], stride=conv.stride, padding=conv.padding)
    label_filters = filters[:, :, c:].reshape(*filters.shape[:2], 1, classes * conv.n_out)
    ones = Tensor(backend.xp.ones((1, h, w, 1), x.dtype))
    response = conv2d(ones, label_filters, stride=conv.stride, padding=conv.padding)
    response = response.reshape(-1, classes, conv.n_out).transpose(1, 0, 2).reshape(classes, -1)
    y = y + (labels @ response).reshape(*y.shape)
    return y if conv.bias is None else y + conv.bias

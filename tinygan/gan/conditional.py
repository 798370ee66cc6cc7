"""Networks that get the class of an image beside it: conditional GANs (Mirza & Osindero 2014)."""

from .. import backend
from ..autograd import Tensor, broadcast_to, concatenate, conv2d
from ..layers import Conv2d, Module, Sequential, apply, biased


class Conditional(Module):
    """A network that also takes one-hot labels (N, classes).

    network: a Sequential for inputs with `classes` more features. A latent vector gets the labels as more numbers, an
    image as more channels, each constant over the image.
    """

    def __init__(self, network: Sequential) -> None:
        self.network = network

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        first, activation, *others = self.network.layers
        if not isinstance(first, Conv2d) or activation.slope is None:
            return apply(self.network.layers, append_labels(x, labels))
        return apply(others, label_conv2d(first, x, labels, activation.slope))


def append_labels(x: Tensor, labels: Tensor) -> Tensor:
    """Append the labels to the last axis: (N, ..., C), (N, classes) -> (N, ..., C + classes)"""
    n, *size, _ = x.shape
    maps = broadcast_to(labels.reshape(n, *[1] * len(size), labels.shape[1]), shape=(n, *size, labels.shape[1]))
    return concatenate(x, maps, axis=-1)


def label_conv2d(conv: Conv2d, x: Tensor, labels: Tensor, slope: float = 1.0) -> Tensor:
    """Compute conv(append_labels(x, labels)) with less work: (N, H, W, C), (N, classes) -> (N, OH, OW, n_out)

    slope: of the leaky ReLU that follows, 1 for none.

    The channel of a class is constant over the image, so its response is the label times the response to ones. That
    response is computed once for the batch, and the labels multiply it in one matrix product.
    """
    (_, h, w, c), classes, filters = x.shape, labels.shape[1], conv.filters()
    if c + classes != conv.n_in:
        raise ValueError(f"this Conv2d wants {conv.n_in} channels; got {c} and {classes} classes")
    y = conv2d(x, filters[:, :, :c], stride=conv.stride, padding=conv.padding)
    label_filters = filters[:, :, c:].reshape(*filters.shape[:2], 1, classes * conv.n_out)
    ones = Tensor(backend.ones((1, h, w, 1), x.dtype))
    response = conv2d(ones, label_filters, stride=conv.stride, padding=conv.padding)
    response = response.reshape(-1, classes, conv.n_out).transpose(1, 0, 2).reshape(classes, -1)
    return biased(y + (labels @ response).reshape(*y.shape), conv.bias, slope)
